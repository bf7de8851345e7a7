// Row -> why svc-super is not ahead of a rival with readiness gates, and what it would take. RESULTS.md prints those that
// the figures call for.
export const REASONS: Readonly<Record<string, string>> = {};
