// Compiles patterns of a plan by the same rules as the check at load.
export { compilePattern, type Pattern, whyNotPattern } from '../config/pattern.ts';
