// The bare name `undici` is a shim of the runtime's own, without agents or unix sockets; the package's own files are not.
// Its index loads fetch, caches and WebSockets too; these two are what a plain request needs.
declare module 'undici/lib/dispatcher/client.js' {
  export { Client as default } from 'undici';
}
declare module 'undici/lib/api/api-request.js' {
  import type { Client, Dispatcher } from 'undici';
  export default function request(this: Client, options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>;
}
