// Where the control socket is: one list, walked by the server that looks for a place and by the client that looks for a
// server. Pure but for the questions it is given answers to.

/** Places in the order in which they are tried. `folder` is one that has to be made, mode 0700, before the socket. */
export interface Place {
  readonly path: string;
  readonly folder: string | null;
  /** Named by the user: no other is tried. */
  readonly chosen: boolean;
}

export function socketPlaces(environment: Readonly<Record<string, string | undefined>>, uid: number): readonly Place[] {
  const chosen = environment.SVC_SUPER_SOCKET;
  if (chosen !== undefined && chosen !== '') return [{ path: chosen, folder: null, chosen: true }];
  const places: Place[] = [{ path: '/run/svc-super.sock', folder: null, chosen: false }];
  const runtime = environment.XDG_RUNTIME_DIR;
  if (runtime?.startsWith('/')) places.push({ path: `${runtime}/svc-super.sock`, folder: null, chosen: false });
  for (const base of ['/dev/shm', '/tmp']) {
    const folder = `${base}/svc-super-${uid}`;
    places.push({ path: `${folder}/svc-super.sock`, folder, chosen: false });
  }
  return places;
}
