// The dashboard as it is sent: the page, and the policy that lets the browser run nothing but what stands in it. The hashes
// are taken of the page itself, so that the two cannot disagree.
import { createHash } from 'node:crypto';
import { UNSAFE } from '../text.ts';
import html from './dashboard.html' with { type: 'text' };
import drawings from './dashboard-drawings.js' with { type: 'text' };
import script from './dashboard-page.js' with { type: 'text' };

/** The two modules as one script; they import only from each other. */
const code = `const UNSAFE = ${UNSAFE};\n${[drawings, script].map((text) => text.replace(/^import [^;]*;$/gm, '').replace(/^export /gm, '')).join('')}`;
/** Text it is; the types believe in a bundle. */
const page = (html as unknown as string).replace(
  '<script></script>',
  () => `<script>\n'use strict';\n${code}</script>`,
);

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Sources of every element of that name, for a Content-Security-Policy. */
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
  /** For a listener that answers reads only: the script finds the attribute and disables the buttons. */
  readOnlyPage: page.replace('<body>', '<body data-read-only>'),
  headers: {
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  },
} as const;
