// The dialogs of the dashboard: the token, and what an operation does to other services.
import { useLayoutEffect, useRef } from 'preact/hooks';
import { setToken } from './client.ts';
import type { Request } from './controls.tsx';
import { describeEffects } from './effects.ts';
import { begin, sendOperation, useModel } from './model.ts';

/** Keeps a dialog open while `isOpen`. It is opened again for another `content`, if Escape has closed it meanwhile. */
function useDialog(isOpen: boolean, content: unknown = null) {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (dialog === null || dialog.open === isOpen) return;
    if (isOpen) dialog.showModal();
    else dialog.close();
  }, [isOpen, content]);
  return ref;
}

export function Login() {
  const { login } = useModel();
  const dialog = useDialog(login !== 'no');
  const field = useRef<HTMLInputElement>(null);
  const enter = (event: Event) => {
    event.preventDefault();
    setToken(field.current?.value.trim() ?? '');
    if (field.current !== null) field.current.value = '';
    begin();
  };
  return (
    <dialog id="login" ref={dialog} aria-labelledby="h-login" onCancel={(event) => event.preventDefault()}>
      <form onSubmit={enter}>
        <h2 id="h-login">Token</h2>
        <p class="soft" id="login-why">
          {login === 'wrong'
            ? 'That token is wrong.'
            : 'This supervisor requires the token of its configuration. The token is stored for this tab only.'}
        </p>
        {/* For password managers. */}
        <input class="hide" type="text" autocomplete="username" value="svc-super" tabIndex={-1} aria-hidden="true" />
        <div class="row">
          <input ref={field} id="token" type="password" autocomplete="current-password" aria-label="Token" required />
          <button class="main" type="submit">
            Enter
          </button>
        </div>
      </form>
    </dialog>
  );
}

interface ConfirmProps {
  readonly request: Request | null;
  readonly close: () => void;
}

/** Describes the effects of a request, and carries it out on confirmation. */
export function Confirm({ request, close }: ConfirmProps) {
  const { status, edges } = useModel();
  const dialog = useDialog(request !== null, request);
  const services = status?.services ?? [];
  const names =
    request === null
      ? []
      : 'service' in request.what
        ? [request.what.service]
        : services.flatMap(({ name, group }) =>
            'group' in request.what && group === request.what.group ? [name] : [],
          );
  const title =
    request === null ? '' : 'service' in request.what ? request.what.service : `group ${request.what.group}`;
  const effects =
    request === null
      ? []
      : edges === null
        ? ['The dependencies have not been received yet.']
        : describeEffects(request.operation, names, services, edges);
  // The event comes later than the end of the dialog, which may have been opened again since.
  const closed = () => {
    if (dialog.current?.open === false) close();
  };
  const confirm = () => {
    if (request !== null) void sendOperation(request.operation, request.what);
    close();
  };
  return (
    <dialog id="sure" ref={dialog} aria-labelledby="h-sure" aria-describedby="sure-why" onClose={closed}>
      <h2 id="h-sure">
        {request?.label} {title}?
      </h2>
      <div id="sure-why" class="soft">
        {effects.map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
      </div>
      <div class="row">
        <button id="sure-no" type="button" onClick={close}>
          Cancel
        </button>
        <button id="sure-yes" class="main" type="button" onClick={confirm}>
          {request?.label}
        </button>
      </div>
    </dialog>
  );
}
