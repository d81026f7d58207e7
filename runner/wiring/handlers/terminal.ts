/** What the handlers ask of the terminal. */
export interface Terminal {
  readonly print: (text: string) => void;
  /** As print, for much: comes back when it is out, so that a slow reader is waited for instead of gathered for. */
  readonly printed: (text: string) => Promise<void>;
  /** Says something on the side: it is no part of the result. */
  readonly note: (text: string) => void;
  /** Whether what is printed may have colours. */
  readonly colours: boolean;
  readonly confirm: (question: string) => Promise<boolean>;
}
