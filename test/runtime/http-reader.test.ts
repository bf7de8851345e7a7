// The reader of HTTP responses: which responses it accepts, where a body ends, and the messages about malformed responses.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { HttpError, ResponseReader } from '../../src/runtime/http-reader.ts';
import { processorTime } from '../helpers/processor.ts';

interface Taken {
  readonly status: number | null;
  readonly body: string;
  readonly isComplete: boolean;
}

function read(answer: string, { method = 'GET', kept = 1_000, pieces = [answer], closes = false } = {}): Taken {
  const reader = new ResponseReader(method, kept);
  for (const piece of pieces) reader.push(Buffer.from(piece, 'latin1'));
  if (closes) reader.close();
  const { status, isComplete } = reader;
  return { status, body: Buffer.from(reader.body).toString('latin1'), isComplete };
}

const crlf = (...lines: readonly string[]) => lines.join('\r\n');
const whole = (status: number, body: string): Taken => ({ status, body, isComplete: true });

const ANSWERS: Readonly<Record<string, readonly [answer: string, taken: Taken]>> = {
  'a body by its length': [crlf('HTTP/1.1 200 OK', 'Content-Length: 2', '', 'ok'), whole(200, 'ok')],
  'lines that end with a bare LF': ['HTTP/1.1 200 OK\nContent-Length: 2\n\nok', whole(200, 'ok')],
  'lines that end either way': ['HTTP/1.0 200 OK\r\nContent-Length: 2\n\r\nok', whole(200, 'ok')],
  'a status line without a reason': ['HTTP/1.1 204\r\n\r\n', whole(204, '')],
  'a 100 Continue that was not asked for': [
    crlf('HTTP/1.1 100 Continue', '', 'HTTP/1.1 200 OK', 'Content-Length: 2', '', 'ok'),
    whole(200, 'ok'),
  ],
  'several interim answers with headers': [
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\n\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n',
    whole(503, ''),
  ],
  chunks: [
    crlf(
      'HTTP/1.1 200 OK',
      'Transfer-Encoding: chunked',
      '',
      '3',
      'abc',
      '0A;x=y',
      '0123456789',
      '0',
      'Trailer: x',
      '',
      '',
    ),
    whole(200, 'abc0123456789'),
  ],
  'chunks with bare LF': ['HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n', whole(200, 'ok')],
  'chunks in spite of a length': [
    crlf('HTTP/1.1 200 OK', 'Content-Length: 99', 'Transfer-Encoding: Chunked', '', '2', 'ok', '0', '', ''),
    whole(200, 'ok'),
  ],
  'a folded header': ['HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\nContent-Length: 1\r\n\r\nx', whole(200, 'x')],
  'a switch of protocols, after which no HTTP follows': [
    'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n??',
    whole(101, ''),
  ],
  'no body where none may be': ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', whole(304, '')],
};

describe('a response is read that has', () => {
  for (const [title, [answer, taken]] of Object.entries(ANSWERS)) {
    test(title, () => {
      expect(read(answer)).toEqual(taken);
    });
  }

  test('a body that ends with the connection', () => {
    const answer = 'HTTP/1.1 200 OK\r\n\r\nok';
    expect(read(answer)).toEqual({ status: 200, body: 'ok', isComplete: false });
    expect(read(answer, { closes: true })).toEqual(whole(200, 'ok'));
  });

  test('no body, because the method was HEAD', () => {
    expect(read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { method: 'HEAD' })).toEqual(whole(200, ''));
  });

  test('a body that is longer than the limit, which is read up to the limit', () => {
    expect(read('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789', { kept: 4 })).toEqual(whole(200, '1234'));
  });
});

test('the result does not depend on how the bytes are cut into pieces', () => {
  const answers = Object.values(ANSWERS);
  fc.assert(
    fc.property(fc.nat(answers.length - 1), fc.array(fc.nat(200), { maxLength: 8 }), (index, cuts) => {
      const [answer, taken] = answers[index] ?? ['', whole(0, '')];
      const places = [0, ...cuts.map((cut) => cut % (answer.length + 1)).sort((a, b) => a - b), answer.length];
      const pieces = places.slice(1).map((end, at) => answer.slice(places[at], end));
      expect(read(answer, { pieces })).toEqual(taken);
    }),
  );
});

describe('a malformed response has a message', () => {
  const wrong: Readonly<Record<string, string>> = {
    'hello\n': 'its response begins with "hello\\n"',
    '\u001b[2Jx\u009b': 'its response begins with "\\x1b[2Jx\\x9b"',
    'caf\u00e9 \u007f\u00a0': 'its response begins with "caf\\xe9 \\x7f\\xa0"',
    'HTTP/2 200\r\n\r\n': 'its response begins with "HTTP/2 200"',
    'HTTP/1.1 OK\r\n\r\n': 'its response begins with "HTTP/1.1 OK"',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok': 'it sends Content-Length twice (2, 2)',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 7\r\n\r\nok': 'it sends Content-Length twice (2, 7)',
    'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok': 'it sends Content-Length twice (2, 2)',
    'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n': 'its Content-Length is "-1"',
    'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n': 'a header is "nonsense"',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n': 'a chunk begins with "xyz", not with its size',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n': 'a chunk is longer than its size',
  };
  for (const [answer, why] of Object.entries(wrong)) {
    test(`${JSON.stringify(answer).slice(0, 60)}: ${why}`, () => {
      expect(() => read(answer)).toThrow(new HttpError(why));
    });
  }

  test('headers without an end', () => {
    expect(() => read(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`)).toThrow('longer than 64 KiB');
  });
});

test('the reader throws no error other than an HttpError, and its time is proportional to the number of bytes', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'HTTP/1.1 200 OK',
      'HTTP/1.1 100',
      '\r\n',
      '\n',
      '\r',
      'Content-Length: 3',
      'Transfer-Encoding: chunked',
    ),
    fc.constantFrom('0', '5', 'ffffffffffff', ';', ': ', ' ', '\t', 'abc', '\0', '\xff'),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), fc.boolean(), (parts, closes) => {
      try {
        read('', { pieces: parts, closes });
      } catch (error) {
        expect(error).toBeInstanceOf(HttpError);
      }
    }),
    { numRuns: 2_000 },
  );
  const start = processorTime();
  const reader = new ResponseReader('GET', 1024 * 1024);
  reader.push(Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'));
  for (let index = 0; index < 20_000; index += 1) reader.push(Buffer.from('1\r\na\r\n'));
  expect(processorTime() - start).toBeLessThan(2_000);
});
