// Row -> why svc-super is behind a rival with readiness gates, and what an improvement would need. RESULTS.md prints those
// that the figures require. Times and sizes were measured with strace and with clocks inside the program.

const START =
  'A small C program has nothing to load. Here PID 1 executes the supervisor, whose runtime boots for some 5 ms; then JavaScript reads the configuration and requests the first start from PID 1. Every function runs for the first time, which takes ten times as long as the second time. To save more, the heap after the boot would have to be part of the file, which the runtime does not offer.';
const MEMORY =
  'PID 1 has less than 0.1 MiB of it. An idle runtime alone has 1.7 MiB of its own; the rest is the code and the objects of the supervisor’s modules, and of the runtime’s for streams, sockets and processes. The parser of the configuration is released after the start, and the HTTP server is loaded with the first request.';

export const REASONS: Readonly<Record<string, string>> = {
  first: START,
  second: 'As for the first.',
  fiftieth:
    'The supervisor prepares each start in one thread and requests it from PID 1, which forks one process after the other.',
  thousandth:
    'The supervisor prepares each start in one thread and requests it from PID 1, which forks one process after the other. A Go program forks on all processors. More threads would help, but neither process may need a new thread when the process limit is reached.',
  'gate-1s':
    'The response is read in JavaScript and goes through the core before PID 1 is asked to start the dependent; a compiled client saves a millisecond. The next row measures from the moment that the dependency would have answered, which is what a user waits for.',
  'gate-60s':
    'As after a second: the response goes through JavaScript and the core before PID 1 is asked to start the dependent.',
  'gate-60s-late':
    'The longer a start takes, the longer the pause between two attempts, so that a model that loads for half an hour is not probed a hundred thousand times. A probe ten times a second is 50 ms late on average.',
  end: 'PID 1 reports the exit to the supervisor, which searches /proc for leftover processes, stops the other services, waits for them, and prints the reason, some 4 ms in JavaScript. PID 1 then exits, and the kernel takes 1.4 ms to remove the supervisor. A program that just exits, as bash does, leaves the other services to SIGKILL; to be as quick the supervisor would have to do that too.',
  stop: 'Before the signals and after each exit /proc is searched, so that no process of a service is missed. A supervisor that trusts the main process or its group need not search.',
  restart:
    'The minimum is the configured backoff, a millisecond here, and before it /proc is searched for leftover processes of the service.',
  orphans:
    'PID 1 reaps each orphan with one system call (wait4(2)), as the others do; what differs is within the noise of the kernel’s own work for fork and exit.',
  own: MEMORY,
  resident: `Most of it is pages of the supervisor’s file and of libc, which the kernel can drop; PID 1 has less than 0.1 MiB. ${MEMORY}`,
  wakes: 'Within the noise of one or two wake-ups.',
  cpu: 'Lines are found and prefixed in JavaScript.',
  size: 'Most of it is the runtime, of which only a part is used. Where an image has Node 22, dist/node needs 1.6 MB.',
};
