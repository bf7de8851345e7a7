// Patterns of a plan are compiled by those who use them, by the rules that the check at load went by.
export { compilePattern, type Pattern } from '../config/pattern.ts';
