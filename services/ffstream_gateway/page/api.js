// What the service is asked, and the moments that it tells.

export class Refused extends Error {}

export async function ask(path, verb = "GET", body = undefined) {
  const request = { method: verb };
  if (body !== undefined) {
    request.headers = { "content-type": "application/json" };
    request.body = JSON.stringify(body);
  }
  const answer = await fetch(path, request);
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(content.detail ?? `${path} answered ${answer.status}`);
  return content;
}

const AGAIN = 1500;
const SILENCE = 10000;

// Calls `told` with every moment, and `lost` when there are none; goes on trying.
export function listen(told, lost) {
  let source;
  let silence;
  const open = () => {
    source = new EventSource("/events");
    hear();
    source.onmessage = (event) => {
      hear();
      told(JSON.parse(event.data));
    };
    source.onerror = again;
  };
  const again = () => {
    clearTimeout(silence);
    source.close();
    lost();
    setTimeout(open, AGAIN);
  };
  const hear = () => {
    clearTimeout(silence);
    silence = setTimeout(again, SILENCE);
  };
  open();
}
