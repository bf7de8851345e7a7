// The dialogs of the dashboard: one asks for the token, one shows the effects of an operation before it is requested. Sends nothing
// itself: model.ts does.
import { useLayoutEffect, useRef } from 'preact/hooks';
import { consequencesOf, explainConsequences } from '../control/consequences.ts';
import { setToken } from './client.ts';
import type { Request } from './controls.tsx';
import { begin, type DashboardModel, sendOperation, targetName, useModel } from './model.ts';

/** Keeps a dialog open while `isOpen`. A dialog that Escape has closed is opened again for another `content`. */
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

/** Asks for the token while requests are refused. */
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
        {/* Password managers expect a name beside a password. */}
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

/** The effects of a request, in sentences. */
function effectsOf({ operation, target }: Request, { status, edges }: DashboardModel): readonly string[] {
  if (edges === null) return ['The dependencies have not been received yet.'];
  const services = status?.services ?? [];
  const isTarget = ({ name, group }: (typeof services)[number]) =>
    'service' in target ? name === target.service : group === target.group;
  const names = services.filter(isTarget).map(({ name }) => name);
  return explainConsequences(operation, names, consequencesOf(operation, names, edges, services));
}

/** Describes the effects of a request, and sends it on confirmation. null: the dialog is closed. */
export function Confirm({ request, close }: ConfirmProps) {
  const model = useModel();
  const dialog = useDialog(request !== null, request);
  const title = request === null ? '' : targetName(request.target);
  const effects = request === null ? [] : effectsOf(request, model);
  // The event arrives after the dialog was closed, and the dialog may be open again by then.
  const closed = () => {
    if (dialog.current?.open === false) close();
  };
  const confirm = () => {
    if (request !== null) void sendOperation(request.operation, request.target);
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
