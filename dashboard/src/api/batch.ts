// Joins the questions that are asked at the same moment into one request: the first screen is one round trip,
// and so is each refresh, while every panel still has an answer, an error and a retry of its own.
import { ApiError, errorText } from './client.ts';
import type { Answer, Question, Refusal } from './types.ts';

export type Send = (
  queries: readonly Question[],
  signal: AbortSignal,
) => Promise<readonly (Answer | Refusal)[]>;
export type Ask = (question: Question, signal: AbortSignal) => Promise<Answer>;

interface Waiting {
  question: Question;
  signal: AbortSignal;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** Most questions of one request; more are sent as further requests. */
const MAX_QUESTIONS = 20;

export function createBatcher(send: Send): Ask {
  let waiting: Waiting[] = [];
  const flush = () => {
    const ready = waiting.filter(({ signal }) => !signal.aborted);
    waiting = [];
    for (let i = 0; i < ready.length; i += MAX_QUESTIONS)
      void deliver(send, ready.slice(i, i + MAX_QUESTIONS));
  };
  return (question, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      // A task, not a microtask: panels mount and refresh in the same task, but not in the same microtask.
      if (waiting.length === 0) setTimeout(flush);
      waiting.push({ question, signal, resolve, reject });
    });
}

async function deliver(send: Send, batch: readonly Waiting[]): Promise<void> {
  const request = new AbortController();
  for (const { signal } of batch) {
    // The request is given up only when nobody waits for any of its answers.
    signal.addEventListener(
      'abort',
      () => batch.every((one) => one.signal.aborted) && request.abort(),
      { once: true },
    );
  }
  try {
    const answers = await send(
      batch.map(({ question }) => question),
      request.signal,
    );
    batch.forEach((one, i) => {
      const answer = answers[i];
      if (isAnswer(answer)) one.resolve(answer);
      else one.reject(refused(one.question, errorText(answer)));
    });
  } catch (error) {
    for (const one of batch) one.reject(error);
  }
}

/** A refusal that begins with a field of the question names what is wrong there; any other is about the server. */
function refused(question: Question, text: string): ApiError {
  const [, field = ''] = /^(\w+)[^ ]*: /.exec(text) ?? [];
  return new ApiError(text, Object.hasOwn(question, field) ? 'never' : 'later');
}

function isAnswer(answer: Answer | Refusal | undefined): answer is Answer {
  return (
    answer !== undefined && answer !== null && 'results' in answer && Array.isArray(answer.results)
  );
}
