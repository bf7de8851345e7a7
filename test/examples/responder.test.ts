// The demo's toy model: it says what it is, knows its way about the demo, and never rolls dice.

import { describe, expect, test } from 'bun:test';
import { respond, tokenize } from '../../examples/demo/responder.ts';

const say = (...texts: string[]) => respond(texts.map((content) => ({ role: 'user', content })));

describe('the toy model', () => {
  test('says that it is a toy', () => {
    for (const question of ['What are you?', 'Are you an AI?', 'who are you']) expect(say(question)).toContain('a toy');
  });

  test('turns a sentence round', () => {
    expect(say('I want my tests to pass.')).toBe('What would it change if you got your tests to pass?');
    expect(say('I am afraid of your rules')).toBe('How long have you been afraid of my rules?');
  });

  test('takes the text of the user as text, whatever is in it', () => {
    expect(say('I want $& and $1')).toContain('$& and $1');
    expect(say('')).not.toBe('');
    expect(respond([])).not.toBe('');
    expect(respond([{ role: 'system', content: 'who are you' }])).not.toContain('a toy');
  });

  test('gives the same conversation the same answer, and the next turn another one', () => {
    expect(say('hm', 'hm')).toBe(say('hm', 'hm'));
    expect(say('hm', 'hm')).not.toBe(say('hm'));
  });

  test('counts words as tokens and loses no character', () => {
    const text = 'One  two,\nthree. ';
    expect(tokenize(text)).toHaveLength(3);
    expect(tokenize(text).join('')).toBe(text);
  });
});
