// query-core with signals: one observer per component, whose result re-renders it.
import { useSignal } from '@preact/signals';
import {
  hashKey,
  keepPreviousData,
  QueryClient,
  type QueryFunctionContext,
  QueryObserver,
  type QueryObserverOptions,
} from '@tanstack/query-core';
import { createContext } from 'preact';
import { useContext, useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { createBatcher } from './batch.ts';
import { ApiError, fetchCurrentVisitors, sendBatch } from './client.ts';
import { isLive } from './questions.ts';
import type { Answer, Question } from './types.ts';

/** An answer beside its question: while the next one is loading, what is shown still belongs to the last. */
export interface Answered {
  question: Question;
  answer: Answer;
}

interface Options<T> {
  queryKey: readonly unknown[];
  queryFn(context: QueryFunctionContext): Promise<T>;
  /** How long an answer is good for, in milliseconds. */
  staleTime: number;
}

/** Past days change only by imports and late events. */
const PAST_STALE_MS = 5 * 60_000;

export const ClientContext = createContext<QueryClient | undefined>(undefined);

export function createClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // A server on the same machine answers without any network, so the browser's idea of being offline does not count.
        networkMode: 'always',
        retry: (failures, error) =>
          error instanceof ApiError && error.again === 'soon' && failures < 1,
        retryDelay: 600,
        // pulse.ts does this, for all questions in one request.
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
      },
    },
  });
}

const ask = createBatcher(sendBatch);

/** What a component shows of a question. */
export interface Shown<T> {
  data: T | undefined;
  /** Why there is no data, or why the data is no longer refreshed. Stays until an answer comes, so nothing blinks. */
  error: Error | undefined;
  /** The data belongs to the question before; the answer to this one is on its way. */
  busy: boolean;
  retry(): void;
}

/** The answer to a question, kept fresh while the calling component is mounted. */
export function useAnswer(question: Question): Shown<Answered> {
  return useResult<Answered>({
    queryKey: ['ask', question],
    queryFn: async ({ signal }) => ({ question, answer: await ask(question, signal) }),
    staleTime: isLive(question) ? 0 : PAST_STALE_MS,
  });
}

export function useCurrentVisitors(domain: string): Shown<number | null> {
  return useResult<number | null>({
    queryKey: ['now', domain],
    queryFn: ({ signal }) => fetchCurrentVisitors(domain, signal),
    staleTime: 0,
  });
}

function useResult<T>(options: Options<T>): Shown<T> {
  const client = useContext(ClientContext);
  if (!client) throw new Error('BUG: a question is asked outside of the client');
  const full = client.defaultQueryOptions<T>({
    ...options,
    // Old numbers stay until the new ones are there, dimmed by who shows them: no flicker, no jump.
    placeholderData: keepPreviousData as (previous: T | undefined) => T | undefined,
    // A refresh that brings the same numbers re-renders nothing.
    notifyOnChangeProps: ['data', 'error', 'status', 'isPlaceholderData'],
    _optimisticResults: 'optimistic',
  } as QueryObserverOptions<T>);
  const observer = useMemo(() => new QueryObserver<T>(client, full), [client]);
  const changes = useSignal(0);
  changes.value;
  const key = hashKey(options.queryKey);
  useLayoutEffect(() => observer.setOptions(full), [observer, key]);
  useEffect(() => observer.subscribe(() => changes.value++), [observer]);
  const result = observer.getOptimisticResult(full);

  // query-core forgets an error as soon as it asks again; the page says it until there is an answer.
  const failure = useRef<{ key: string; error: Error } | undefined>(undefined);
  if (result.error) failure.current = { key, error: result.error };
  else if (result.isSuccess && !result.isPlaceholderData) failure.current = undefined;
  const error = failure.current?.key === key ? failure.current.error : undefined;
  return {
    data: error && result.isPlaceholderData ? undefined : result.data,
    error,
    busy: result.isPlaceholderData,
    retry() {
      failure.current = undefined;
      changes.value++;
      void observer.refetch();
    },
  };
}
