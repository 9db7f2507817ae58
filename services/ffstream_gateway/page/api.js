// What the service is asked, and the moments that it tells.

import { bearer, needKey } from "./key.js";

export class Refused extends Error {
  constructor(detail, status) {
    super(detail);
    this.status = status;
  }
}

// What comes of an answer, but for what this key has no scope for.
export const permitted = (answer) => answer.catch((error) => {
  if (error.status !== 403) throw error;
});

export async function ask(path, verb = "GET", body = undefined) {
  const request = { method: verb, headers: bearer() };
  if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const answer = await fetch(path, request);
  const content = await answer.json().catch(() => ({}));
  if (answer.status === 401) needKey(content.detail);
  if (!answer.ok) throw new Refused(content.detail ?? `${path} answered ${answer.status}`, answer.status);
  return content;
}

const AGAIN = 1500;
const SILENCE = 10000;

// Calls `told` with every moment, and `lost` when there are none; goes on trying. An EventSource could not send a key.
export async function listen(told, lost) {
  for (;;) {
    const ended = new AbortController();
    let silence;
    const hear = () => {
      clearTimeout(silence);
      silence = setTimeout(() => ended.abort(), SILENCE);
    };
    try {
      hear();
      for await (const line of lines("events", ended.signal)) {
        hear();
        if (line.startsWith("data: ")) told(JSON.parse(line.slice(6)));
      }
    } catch {
      // lost all the same
    }
    clearTimeout(silence);
    ended.abort();
    lost();
    await new Promise((again) => setTimeout(again, AGAIN));
  }
}

async function* lines(path, signal) {
  const answer = await fetch(path, { headers: bearer(), signal });
  if (answer.status === 401) needKey((await answer.json()).detail);
  if (!answer.ok) throw new Refused(`${path} answered ${answer.status}`, answer.status);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const whole = (rest + value).split("\n");
    rest = whole.pop();
    yield* whole;
  }
}
