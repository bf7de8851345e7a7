// The runtime's own parts: which libraries Bun links statically, under which licence, where the source of each is. A table,
// from LICENSE.md of Bun's repository; the revisions are those that the runtime reports (`process.versions`).

/** A library in the runtime. `version` is a release or a git revision; null if the runtime reports none. */
export interface Library {
  readonly name: string;
  readonly license: string;
  readonly source: string;
  readonly version: string | null;
}

const of = (name: string): string | null => process.versions[name] ?? null;

export const RUNTIME = {
  source: 'https://github.com/oven-sh/bun',
  revision: Bun.revision,
  webkit: { source: 'https://github.com/oven-sh/WebKit', revision: of('webkit') },
} as const;

type Row = readonly [name: string, license: string, source: string, version?: string | null];

const ROWS: readonly Row[] = [
  ['JavaScriptCore', 'LGPL-2.0-or-later', RUNTIME.webkit.source, RUNTIME.webkit.revision],
  ['tinycc', 'LGPL-2.1', 'https://github.com/oven-sh/tinycc', of('tinycc')],
  ['base64', 'BSD-2-Clause', 'https://github.com/aklomp/base64'],
  ['boringssl', 'OpenSSL, ISC and others', 'https://github.com/oven-sh/boringssl', of('boringssl')],
  ['brotli', 'MIT', 'https://github.com/google/brotli'],
  ['c-ares', 'MIT', 'https://github.com/c-ares/c-ares', of('ares')],
  ['highway', 'Apache-2.0', 'https://github.com/google/highway'],
  ['icu', 'Unicode-3.0', 'https://github.com/unicode-org/icu', of('icu')],
  ['libarchive', 'BSD-2-Clause and others', 'https://github.com/libarchive/libarchive', of('libarchive')],
  ['libc++abi', 'Apache-2.0 WITH LLVM-exception', 'https://github.com/llvm/llvm-project'],
  ['libdeflate', 'MIT', 'https://github.com/ebiggers/libdeflate', of('libdeflate')],
  ['libjpeg-turbo', 'BSD-3-Clause, IJG and zlib', 'https://github.com/libjpeg-turbo/libjpeg-turbo'],
  ['libspng', 'BSD-2-Clause', 'https://github.com/randy408/libspng'],
  ['libwebp', 'BSD-3-Clause', 'https://github.com/webmproject/libwebp'],
  ['llhttp', 'MIT', 'https://github.com/nodejs/llhttp', of('llhttp')],
  ['lol-html', 'BSD-3-Clause', 'https://github.com/cloudflare/lol-html', of('lolhtml')],
  ['ls-hpack', 'MIT', 'https://github.com/litespeedtech/ls-hpack', of('lshpack')],
  ['ls-qpack', 'MIT', 'https://github.com/litespeedtech/ls-qpack'],
  ['lsquic', 'MIT and BSD-3-Clause', 'https://github.com/litespeedtech/lsquic'],
  ['mimalloc', 'MIT', 'https://github.com/oven-sh/mimalloc', of('mimalloc')],
  ['picohttpparser', 'MIT', 'https://github.com/h2o/picohttpparser', of('picohttpparser')],
  ['simdutf', 'Apache-2.0', 'https://github.com/simdutf/simdutf'],
  ['sqlite', 'public domain', 'https://sqlite.org', of('sqlite')],
  ['uSockets', 'Apache-2.0', RUNTIME.source, of('usockets')],
  ['uWebSockets', 'Apache-2.0', RUNTIME.source, of('uwebsockets')],
  ['uucode', 'MIT', 'https://github.com/jacobsandlund/uucode'],
  ['zlib-ng', 'Zlib', 'https://github.com/zlib-ng/zlib-ng', of('zlib')],
  ['zstd', 'BSD-3-Clause', 'https://github.com/facebook/zstd', of('zstd')],
];

export const LIBRARIES: readonly Library[] = ROWS.map(([name, license, source, version = null]) => ({
  name,
  license,
  source,
  version,
}));
