// The dashboard page, and a Content-Security-Policy that allows only the scripts and styles in it. The hashes are computed
// from the page, so the two cannot disagree.
import { createHash } from 'node:crypto';
import { UNSAFE } from '../text.ts';
import html from './dashboard.html' with { type: 'text' };
import drawings from './dashboard-drawings.js' with { type: 'text' };
import script from './dashboard-page.js' with { type: 'text' };

/** The two modules as one script; they import only from each other. */
const code = `const UNSAFE = ${UNSAFE};\n${[drawings, script].map((text) => text.replace(/^import [^;]*;$/gm, '').replace(/^export /gm, '')).join('')}`;
/** The import is a string at run time; the types of bundled HTML differ. */
const page = (html as unknown as string).replace(
  '<script></script>',
  () => `<script>\n'use strict';\n${code}</script>`,
);

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
