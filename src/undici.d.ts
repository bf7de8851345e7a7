// The bare name `undici` is a shim of the runtime's own, without agents or unix sockets; the package's own file is not.
declare module 'undici/lib/dispatcher/client.js' {
  export { Client as default } from 'undici';
}
