// The commands that the supervisor's file executes. `npm run native` writes this file from src/cli/commands.

/** Commands that send requests to a supervisor: the native program makes their connection. */
static const char connected[] =
  " status top logs start stop restart reload scale signal exec shell wait health events timeline graph completion ";
static const char unconnected[] =
  " check import schema export version help -h --help -V --version ";
