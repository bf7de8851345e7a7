// The toy in place of a language model: a few questions it knows the answer to, and for the rest the old trick of
// ELIZA (Weizenbaum 1966): find a keyword, turn the sentence round, ask back. No weights, no chance: the same
// conversation always gets the same answer. It never claims to be more than that.

export interface Message {
  readonly role: string;
  readonly content: string;
}

interface Rule {
  readonly pattern: RegExp;
  /** `$1` is the first group of the pattern with "I" and "you" changed about. */
  readonly replies: readonly string[];
}

/** Questions about the demo itself. */
const KNOWN: readonly Rule[] = [
  {
    pattern: /\b(who|what) are you\b|\bare you (an? |the )?(ai|llm|language model|real|human|bot)\b|\byour name\b/i,
    replies: [
      'I am a toy: some twenty rules in one file, examples/demo/responder.ts. I answer over the same API as a real ' +
        'model server, so whatever talks to me would talk to vLLM as well. I know a little about this demo, and for ' +
        'everything else I turn your sentence round and ask back.',
    ],
  },
  {
    pattern:
      /\b(start\w*|boot\w*|wait\w*|order|gate)\b.*\b(first|order|page|model|so long|happen\w*)\b|\bwhat started\b/i,
    replies: [
      'I did. svc-super started the model server and asked it GET /v1/models again and again. While the shards were ' +
        'loading the answer was 503. At the first answer that named this model, the chat page was started. ' +
        'That is the gate: `depends_on: {model: ready}` in examples/demo/services.yaml.',
    ],
  },
  {
    pattern: /\bkill\b|\bcrash\w*|\bsigkill\b|\b137\b|\bdie[sd]?\b/i,
    replies: [
      'Try it. In another terminal run `dist/svc-super status`, take the pid of `model` and send it `kill -9`. ' +
        'My engine is a second process in a session of its own, as engines of real model servers are. ' +
        'svc-super finds it, ends it, stops the page and exits with 137: the code of what failed first.',
    ],
  },
  {
    pattern: /\b(stop|quit|exit|shut ?down|ctrl)\b/i,
    replies: [
      'Press Ctrl-C in the terminal. The page stops first, because it depends on me. Then I get SIGTERM, once, ' +
        'finish the sentence I am in, stop my engine and exit. The code is 0.',
    ],
  },
  {
    pattern: /\bsvc-?super\b|\bsupervisor\b|\bpid 1\b|\bstart\.sh\b/i,
    replies: [
      'svc-super is a process supervisor that a Dockerfile names as its ENTRYPOINT in place of start.sh. It starts services ' +
        'when their dependencies are ready, forwards signals, reaps zombies, and exits with the code of the first ' +
        'service that fails. This demo is two services and one file of YAML.',
    ],
  },
  {
    pattern: /^\s*(hi|hello|hey|good (morning|day|evening))\b/i,
    replies: [
      'Hello. I am the toy model of this demo. What is on your mind?',
      'Good to see you. Where shall we begin?',
    ],
  },
  { pattern: /\bthank/i, replies: ['You are welcome. What else?', 'Not at all. Shall we go on?'] },
  { pattern: /^\s*(bye|goodbye|see you)\b/i, replies: ['Goodbye. Ctrl-C in the terminal ends me as well.'] },
];

/** Keywords, strongest first. */
const REFLECTING: readonly Rule[] = [
  {
    pattern: /\bi (?:need|want|would like) (.+)/i,
    replies: ['What would it change if you got $1?', 'Why $1, of all things?', 'Suppose you had $1. What then?'],
  },
  {
    pattern: /\bi(?: am|'m) (.+)/i,
    replies: ['How long have you been $1?', 'Do you like being $1?', 'What made you $1?'],
  },
  {
    pattern: /\bi (?:feel|felt) (.+)/i,
    replies: ['When do you feel $1?', 'What do you do when you feel $1?'],
  },
  {
    pattern: /\bi (?:can't|cannot|can not) (.+)/i,
    replies: ['What have you tried so far, to $1?', 'What would you need in order to $1?'],
  },
  {
    pattern: /\bi (?:think|believe|guess) (?:that )?(.+)/i,
    replies: ['Are you sure that $1?', 'What makes you think that $1?'],
  },
  { pattern: /\bmy (\w+)/i, replies: ['Tell me more about your $1.', 'What is it about your $1 that matters here?'] },
  {
    pattern: /\bcan you (.+)/i,
    replies: ['Real models may $1. I have rules, not weights: I can only ask back.', 'Why should I $1?'],
  },
  { pattern: /\byou are (.+)/i, replies: ['What makes you say that I am $1?', 'And if I were not $1?'] },
  { pattern: /\bbecause (.+)/i, replies: ['Is that the whole reason?', 'What if it were not so that $1?'] },
  { pattern: /\bwhy (.+)/i, replies: ['What do you suppose?', 'What would count as an answer to that?'] },
  {
    pattern: /\b(?:how|what|when|where|who)\b/i,
    replies: ['How would you find out?', 'What answer would help you most?'],
  },
  { pattern: /^\s*(?:yes|yeah|sure|ok)\b/i, replies: ['And what follows from that?', 'Go on.'] },
  { pattern: /^\s*no\b/i, replies: ['Why not?', 'Say a little more about that no.'] },
];

const OTHERWISE: readonly string[] = [
  'Tell me more.',
  'What does that suggest to you?',
  'I have no rule for that one. Can you put it another way?',
  'Let us stay with that. What is the hard part?',
];

const TURNED: Readonly<Record<string, string>> = {
  i: 'you',
  me: 'you',
  my: 'your',
  mine: 'yours',
  myself: 'yourself',
  am: 'are',
  "i'm": 'you are',
  you: 'I',
  your: 'my',
  yours: 'mine',
  yourself: 'myself',
};

/** "my tests on you" -> "your tests on I": wrong now and then, as ever with ELIZA. */
function turnRound(text: string): string {
  return text.replace(/[.!?\s]+$/, '').replace(/[\w']+/g, (word) => TURNED[word.toLowerCase()] ?? word);
}

function pick(replies: readonly string[], turn: number): string {
  return replies[turn % replies.length] ?? '';
}

/** The answer to a conversation: to its last message by the user, in the light of how many there were. */
export function respond(messages: readonly Message[]): string {
  const asked = messages.filter((message) => message.role === 'user');
  const text = asked.at(-1)?.content ?? '';
  const turn = Math.max(0, asked.length - 1);
  for (const rule of [...KNOWN, ...REFLECTING]) {
    const match = rule.pattern.exec(text);
    if (match) return pick(rule.replies, turn).replace('$1', () => turnRound(match[1] ?? ''));
  }
  return pick(OTHERWISE, turn);
}

/** What this model counts as a token: a word with the space after it. */
export function tokenize(text: string): string[] {
  return text.match(/\S+\s*/g) ?? [];
}
