/**
 * What a shell sources to complete our commands. Each asks `stillpoint __complete` with the words so far, which answers as
 * the commands of Kubernetes do (cobra): a candidate in each line, a tab, what it is; last `:0` where files may follow, else `:4`.
 */

/** The shells that there is a script for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/** The answer's last line. */
export const DIRECTIVES = { files: ':0', nothingElse: ':4' } as const;

// bash takes `--for=cut` for three words; what comes back replaces the last of them.
const BASH = `# bash completion for stillpoint: source <(stillpoint completion bash)
_stillpoint() {
  local words=() word glued='' i
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == '=' && \${#words[@]} -gt 0 ]]; then
      words[\${#words[@]}-1]+='='
      glued=1
    elif [[ -n $glued ]]; then
      words[\${#words[@]}-1]+=$word
      glued=''
    else
      words+=("$word")
    fi
  done
  local current=\${words[\${#words[@]}-1]} answer line
  local before=''
  [[ $current == --*=* ]] && before="\${current%%=*}="
  COMPREPLY=()
  answer=$("\${COMP_WORDS[0]}" __complete "\${words[@]}" 2>/dev/null) || return 0
  while IFS= read -r line; do
    case $line in
      ${DIRECTIVES.files}) compopt -o default 2>/dev/null ;;
      :*) ;;
      ?*)
        line=\${line%%$'\\t'*}
        COMPREPLY+=("\${line#"$before"}")
        ;;
    esac
  done <<<"$answer"
}
complete -F _stillpoint stillpoint
`;

const ZSH = `#compdef stillpoint
# zsh completion for stillpoint: source <(stillpoint completion zsh)
_stillpoint() {
  local -a answer candidates
  local line
  answer=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "\${answer[@]}"; do
    case $line in
      ${DIRECTIVES.files}) _files ;;
      :*|'') ;;
      *)
        line=\${line//:/\\\\:}
        candidates+=("\${line/$'\\t'/:}")
        ;;
    esac
  done
  _describe stillpoint candidates
}
if [[ $funcstack[1] == _stillpoint ]]; then
  _stillpoint
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
  compdef _stillpoint stillpoint
fi
`;

const FISH = `# fish completion for stillpoint: stillpoint completion fish | source
function __stillpoint_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case ${DIRECTIVES.files}
                __fish_complete_path "$current"
            case ':*' ''
            case '*'
                echo $line
        end
    end
end
complete -c stillpoint -f -k -a '(__stillpoint_complete)'
`;

/** The script of a shell. */
export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
