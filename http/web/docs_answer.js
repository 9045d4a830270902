// Draws the answer of an operation: status, times, headers, body.
import { element, formatBytes, formatMs } from '/assets/ui.js';

const MAX_SHOWN = 100_000;  // characters of a body; more makes the page slow

// "decode;dur=1.2, queue;dur=0.1" -> [["decode", 1.2], ...]
function serverTimes(header) {
  return (header ?? '').split(',').map((entry) => entry.trim().match(/^([\w-]+);dur=([\d.]+)/))
    .filter((match) => match !== null).map((match) => [match[1], Number(match[2])]);
}

// The body as text: JSON in lines; what is no text as its size.
export async function bodyText({ headers, blob }) {
  const type = headers.get('Content-Type') ?? '';
  if (blob.size === 0) return '';
  if (!/^(text\/|application\/json|image\/svg)/.test(type)) {
    return `${formatBytes(blob.size)} of ${type || 'no type'}`;
  }
  const text = await blob.text();
  if (!type.startsWith('application/json')) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function answerPanel(answer, text) {
  const times = [['round trip', answer.roundTripMs],
    ...serverTimes(answer.headers.get('Server-Timing'))];
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}\n…` : text;
  const ok = answer.status < 400;
  return element('section', { class: 'panel', 'aria-label': 'Answer' },
    element('h3', {}, element('span', { class: `badge ${ok ? 'badge-ready' : 'badge-failed'}` },
      `${answer.status} ${answer.statusText}`)),
    element('dl', { class: 'times' }, ...times.map(([name, ms]) => element('div', {},
      element('dt', {}, name), element('dd', {}, formatMs(ms))))),
    element('details', {}, element('summary', {}, 'Headers'),
      element('pre', { tabindex: '0', 'aria-label': 'Headers' },
        [...answer.headers].map(([name, value]) => `${name}: ${value}`).join('\n'))),
    shown === '' ? element('p', { class: 'muted' }, 'No body.')
      : element('pre', { tabindex: '0', 'aria-label': 'Body', class: 'answer-body' }, shown));
}
