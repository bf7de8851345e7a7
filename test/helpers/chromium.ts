// Drives a real Chromium over the DevTools protocol: opens a page, clicks and types like a user, inspects the page, takes
// pictures. Collects errors of the page. Every process that it starts ends with it.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './rig.ts';

/** The path of Chromium; null if it is not installed. In CI it must be installed. */
export const chromium = Bun.which('chromium') ?? Bun.which('chromium-browser') ?? Bun.which('google-chrome');
if (chromium === null && process.env.CI === 'true') throw new Error('chromium is missing: install it');

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-extensions',
  '--hide-scrollbars',
  '--remote-debugging-port=0',
];

export interface Look {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
  readonly touch?: boolean;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export class Page {
  /** Problems of the page: errors, refused resources, violations of its policy. */
  readonly complaints: string[] = [];
  /** Bytes of bodies that the page has received. */
  received = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), 'chromium-'));
  readonly #child: Bun.Subprocess;
  readonly #answers = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #socket: WebSocket | undefined;
  #session = '';
  #number = 0;

  private constructor() {
    this.#child = Bun.spawn([chromium ?? 'chromium', ...FLAGS, `--user-data-dir=${this.#folder}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore'],
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: this.#folder, TMPDIR: this.#folder },
    });
  }

  static async open(): Promise<Page> {
    const page = new Page();
    await page.#connect();
    return page;
  }

  async #connect(): Promise<void> {
    const file = join(this.#folder, 'DevToolsActivePort');
    const [port, path] = await until('Chromium', () => {
      const found = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
      return found.length >= 2 && found;
    });
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#take(JSON.parse(String(data)) as Message));
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', () => reject(new Error('Chromium does not respond')));
    });
    const { targetId } = (await this.#send('Target.createTarget', { url: 'about:blank' })) as { targetId: string };
    const attached = await this.#send('Target.attachToTarget', { targetId, flatten: true });
    this.#session = (attached as { sessionId: string }).sessionId;
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.#send(`${domain}.enable`);
  }

  #take({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      const waiting = this.#answers.get(id);
      this.#answers.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error.message));
    } else if (method === 'Network.dataReceived') {
      this.received += Number(params?.dataLength);
    } else if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') {
      this.complaints.push(JSON.stringify(params?.exceptionDetails ?? params?.entry));
    }
  }

  #send(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject });
      const session = this.#session === '' ? {} : { sessionId: this.#session };
      this.#socket?.send(JSON.stringify({ id, method, params, ...session }));
    });
  }

  async look({ width, height, scheme, touch = false }: Look): Promise<void> {
    await this.#send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: touch });
    await this.#send('Emulation.setTouchEmulationEnabled', { enabled: touch });
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.#send('Emulation.setEmulatedMedia', { features });
  }

  async goto(url: string): Promise<void> {
    await this.#send('Page.navigate', { url });
    await this.sees('the page', "document.readyState === 'complete'");
  }

  /** The value of an expression in the page. */
  async value<T>(expression: string): Promise<T> {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = (await this.#send('Runtime.evaluate', options)) as {
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string } };
    };
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? expression);
    return result.value;
  }

  /** Waits until an expression of the page is true. */
  async sees(what: string, expression: string): Promise<void> {
    await until(
      `${what} in the page`,
      () => this.value<boolean>(`Boolean(${expression})`),
      () => this.complaints.join('\n'),
    );
  }

  /** Clicks in the middle of the element of a selector, with a mouse. */
  async click(selector: string): Promise<void> {
    const find = `document.querySelector(${JSON.stringify(selector)})`;
    await this.sees(selector, `${find} && !${find}.disabled && ${find}.getClientRects().length > 0`);
    // The page may change its layout meanwhile: the place is the same twice, and it is that of the element.
    let place = '';
    const { x, y } = await until(`${selector} to stay in its place`, async () => {
      const found = await this.value<{ x: number; y: number; isHit: boolean } | null>(`(() => {
        const found = ${find};
        if (found === null) return null;
        found.scrollIntoView({ block: 'center' });
        const { x, y, width, height } = found.getBoundingClientRect();
        const middle = { x: x + width / 2, y: y + height / 2 };
        return { ...middle, isHit: found.contains(document.elementFromPoint(middle.x, middle.y)) };
      })()`);
      const last = place;
      place = `${found?.x} ${found?.y}`;
      return found?.isHit === true && place === last ? found : null;
    });
    const mouse = { x, y, button: 'left', clickCount: 1 };
    await this.#send('Input.dispatchMouseEvent', { ...mouse, type: 'mousePressed' });
    await this.#send('Input.dispatchMouseEvent', { ...mouse, type: 'mouseReleased' });
  }

  async type(text: string): Promise<void> {
    await this.#send('Input.insertText', { text });
  }

  async press(key: 'Tab' | 'Enter' | 'Escape'): Promise<void> {
    const codes = { Tab: 9, Enter: 13, Escape: 27 };
    const event = { key, code: key, windowsVirtualKeyCode: codes[key], ...(key === 'Enter' && { text: '\r' }) };
    await this.#send('Input.dispatchKeyEvent', { ...event, type: 'keyDown' });
    await this.#send('Input.dispatchKeyEvent', { ...event, type: 'keyUp' });
  }

  /** A picture of the whole page as PNG. */
  async picture(file: string): Promise<void> {
    const options = { format: 'png', captureBeyondViewport: true };
    const { data } = (await this.#send('Page.captureScreenshot', options)) as { data: string };
    writeFileSync(file, Buffer.from(data, 'base64'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.close();
    this.#child.kill('SIGKILL');
    await this.#child.exited;
    // Its helper processes end a moment later, and write until then.
    await until('Chromium to be gone', () => {
      try {
        rmSync(this.#folder, { recursive: true, force: true });
        return !existsSync(this.#folder);
      } catch {
        return false;
      }
    });
  }
}
