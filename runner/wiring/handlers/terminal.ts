/** What the handlers ask of the terminal. */
export interface Terminal {
  readonly print: (text: string) => void;
  readonly confirm: (question: string) => Promise<boolean>;
}
