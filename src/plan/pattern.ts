// How a pattern of the configuration becomes a regular expression, so that the check at load and the use agree.

/** With Unicode rules where the source allows them, else with the older ones. Throws SyntaxError where it is neither. */
export function toPattern(source: string): RegExp {
  try {
    return new RegExp(source, 'u');
  } catch {
    return new RegExp(source);
  }
}
