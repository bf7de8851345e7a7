// The dashboard page, and a Content-Security-Policy that allows only the script and styles in it. The hashes are computed
// from the page, so the two cannot disagree. src/dashboard has the sources. Loaded at the first request of the page.
import { createHash } from 'node:crypto';
import html from '../dashboard/page.html' with { type: 'text' };

/** The import is a string at run time; the types of bundled HTML differ. */
const page = html as unknown as string;

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Sources of all elements with that name, for a Content-Security-Policy. */
function hashesOf(element: 'script' | 'style'): string {
  const inner = new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, 'g');
  return [...page.matchAll(inner)].map(([, text = '']) => hashOf(text)).join(' ');
}

const POLICY = [
  "default-src 'none'",
  `script-src ${hashesOf('script')}`,
  `style-src ${hashesOf('style')}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const dashboard = {
  page,
  /** For a read-only listener: the script finds the attribute and disables the buttons. */
  readOnlyPage: page.replace('<body>', '<body data-read-only>'),
  headers: {
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  },
} as const;
