// Row -> why svc-super is not ahead of a rival with readiness gates, and what it would take. RESULTS.md prints those that
// the figures call for. What they say of time and memory was found with strace and with clocks inside the program.

const START =
  'A small C program has nothing to load; here a runtime boots, some 5 ms, and JavaScript reads the configuration and starts the first service, every function of it for the first time, which takes ten times as long as the second. To save more, the heap after the boot would have to be part of the binary, which the runtime does not offer.';
const MEMORY =
  'An idle runtime alone has 1.7 MiB of its own; the rest is the code and the objects of our modules and of the runtime’s own for streams, sockets and processes. What has read the configuration is forgotten, and what speaks HTTP is loaded with the first question.';

export const REASONS: Readonly<Record<string, string>> = {
  first: START,
  second: 'As for the first.',
  fiftieth:
    'Services are started one after the other by the one thread there is, and each spawn sleeps until its program executes (vfork(2)).',
  thousandth:
    'Services are started one after the other by the one thread there is, and each spawn sleeps until its program executes (vfork(2)); a Go program forks on all processors. It would take a second thread that spawns, which PID 1 must not need when the process limit is used up.',
  'gate-1s':
    'The answer is read by an HTTP client in JavaScript and goes through the core before anything is spawned; a compiled client saves a millisecond. From the moment that the dependency would have answered, which is what a user waits for, see the next row.',
  'gate-60s':
    'As after a second: the answer goes through an HTTP client in JavaScript and the core before anything is spawned.',
  'gate-60s-late':
    'The longer a start takes, the rarer it is asked, so that a model that loads for half an hour is not asked a hundred thousand times; whoever asks for ever ten times a second is 50 ms late on average.',
  end: 'Before it ends it searches /proc for what the child has left behind, stops the other services and waits for them, and writes why it ends, some 4 ms in JavaScript; the kernel then takes 1.4 ms to take apart a process of that size. Whoever just ends, as bash does, leaves the other services to SIGKILL; to be as quick the supervisor would have to do that too.',
  stop: 'Before the signals and after each end /proc is searched, so that nothing of a service gets away; whoever trusts the main process or its group need not look.',
  restart:
    'The least wait is the one that the configuration gives, a millisecond here, and before it /proc is searched for what the dead service has left behind.',
  orphans:
    'Each orphan costs two system calls through FFI: one that looks, and one that reaps only what is none of the services.',
  own: MEMORY,
  resident: `More than half of it are pages of the binary and of libc, which the kernel can drop. ${MEMORY}`,
  wakes: 'Within the noise of one or two wake-ups.',
  cpu: 'Lines are found and prefixed in JavaScript.',
  size: 'Most of it is the runtime, which holds far more than is used; it cannot be had smaller.',
};
