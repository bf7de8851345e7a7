// "Did you mean": the candidate that is closest to a mistyped word. Independent of configuration.

/**
 * The candidate closest to `word` by Damerau-Levenshtein distance (two transposed neighbours count one), ignoring case, `-` and
 * `_`. null: every candidate differs in more than a third of its letters, and in more than one. Among equals the earlier one is returned.
 */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  // No known name is this long, so the table would only cost time and memory.
  if (word.length > 80) return null;
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  const given = fold(word);
  for (const candidate of candidates) {
    const known = fold(candidate);
    const allowed = Math.max(1, Math.floor(Math.max(given.length, known.length) / 3));
    if (Math.abs(known.length - given.length) > allowed) continue;
    const distance = editDistance(given, known);
    if (distance <= allowed && distance < least && distance < known.length) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** `did you mean X?` for the closest candidate; undefined if none is close. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const found = nearest(word, candidates);
  return found === null ? undefined : `did you mean \`${found}\`?`;
}

/** Optimal string alignment distance: insertions, deletions, substitutions, transpositions of neighbours. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    before = last;
    last = current;
  }
  return last[b.length] ?? 0;
}

/** The same text for `dependsOn`, `depends-on` and `depends_on`. */
function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '');
}
