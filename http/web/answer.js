// Draws one answer of a service: labels with bars, the stages of its time, the JSON.
import { element, formatMs, wireCopyButton } from '/assets/ui.js';

// `form` is the service's AnswerForm: it names the keys of an item.
export function answerView(answer, form) {
  const { body, text, roundTripMs } = answer;
  if (!isLabels(body.data, form)) return valueView(answer);
  const items = body.data.map((item) => readItem(item, form));
  return element('div', { class: 'answer' },
    items.length > 0 ? element('ol', { class: 'labels' }, ...items.map(labelRow))
      : element('p', { class: 'muted' }, 'The service gave no label.'),
    items.some((item) => item.unknown)
      ? element('p', { class: 'muted' }, 'No label reached this service’s threshold of ' +
          `${formatPercent(form.threshold, form)}.`)
      : null,
    body.explain ? stagesView(body.explain, roundTripMs) : null,
    jsonView(text));
}

// One sentence for a screen reader.
export function answerSentence(answer, form) {
  const { body } = answer;
  if (!isLabels(body.data, form)) return `Answer in ${formatMs(body.elapse * 1000)}.`;
  if (body.data.length === 0) return 'The service gave no label.';
  const best = readItem(body.data[0], form);
  return `Answer: ${best.label}, ${best.percent}, in ${formatMs(body.elapse * 1000)}.`;
}

// Labels with probabilities; else the service has an answer of its own.
function isLabels(data, form) {
  return Array.isArray(data) && data.every((item) => item !== null && typeof item === 'object' &&
    form.label_key in item && form.probability_key in item);
}

// A service with an answer of its own: its words, and the JSON, opened.
function valueView({ body, text, roundTripMs }) {
  const json = jsonView(text);
  json.open = true;
  return element('div', { class: 'answer' },
    body.code !== 0 ? element('p', { class: 'muted' }, String(body.msg)) : null,
    json,
    body.explain ? stagesView(body.explain, roundTripMs) : null);
}

function readItem(item, form) {
  const probability = Number(item[form.probability_key]);
  return {
    label: String(item[form.label_key] ?? ''),
    probability: Math.min(1, Math.max(0, probability || 0)),
    percent: formatPercent(probability, form),
    unknown: form.index_key !== '' && item[form.index_key] === -1,
  };
}

function formatPercent(probability, form) {
  if (!Number.isFinite(probability)) return '?';
  return `${(probability * 100).toFixed(Math.max(0, form.decimals - 2))} %`;
}

function labelRow(item) {
  const fill = element('span', { class: 'bar-fill' });
  fill.style.setProperty('--share', String(item.probability));
  return element('li', { class: 'label-row' },
    element('span', { class: 'label-name' }, item.label),
    element('span', { class: 'label-number' }, item.percent),
    element('span', {
      class: 'bar', role: 'meter', 'aria-label': `Probability of ${item.label}`,
      'aria-valuemin': '0', 'aria-valuemax': '1', 'aria-valuenow': String(item.probability),
      'aria-valuetext': item.percent,
    }, fill));
}

// The words are those of the server's metrics and docs.
const STAGES = [
  { key: 'decode_ms', word: 'Decode', means: 'file to pixels' },
  { key: 'queue_ms', word: 'Queue', means: 'waiting for a lane' },
  { key: 'staging_ms', word: 'Staging', means: 'pixels to the lane' },
  { key: 'infer_ms', word: 'Infer', means: 'the network' },
];

function stagesView(explain, roundTripMs) {
  const stages = STAGES.map(({ key, word, means }) =>
    ({ id: key.replace('_ms', ''), word, means, ms: Math.max(0, Number(explain[key]) || 0) }));
  const named = stages.reduce((sum, stage) => sum + stage.ms, 0);
  const total = Number(explain.total_ms) || named;
  stages.push({ id: 'other', word: 'Other', means: 'receiving, answering',
    ms: Math.max(0, total - named) });
  const bar = element('div', { class: 'stage-bar', 'aria-hidden': 'true' },
    ...stages.filter((stage) => stage.ms > 0).map((stage) => {
      const part = element('span', { class: `stage-part stage-${stage.id}` });
      part.style.flexGrow = String(stage.ms);
      return part;
    }));
  return element('section', { class: 'stages' },
    element('h3', {}, `Where ${formatMs(total)} went`), bar,
    element('ul', { class: 'stage-list' }, ...stages.map((stage) => element('li', {},
      element('span', { class: `stage-key stage-${stage.id}`, 'aria-hidden': 'true' }),
      element('span', { class: 'stage-word' }, stage.word),
      element('span', { class: 'stage-means' }, stage.means),
      element('span', { class: 'stage-ms' }, formatMs(stage.ms))))),
    element('p', { class: 'muted' }, `${batchSentence(explain)} From this page and back: ` +
      `${formatMs(roundTripMs)}.`));
}

function batchSentence(explain) {
  const size = Number(explain.batch) || 1;
  const company = size === 1 ? 'Ran alone' : `Ran in a batch of ${size}`;
  return `${company} on lane ${explain.lane}, version ${explain.version}.`;
}

function jsonView(text) {
  const copy = element('button', { class: 'button', type: 'button' }, 'Copy JSON');
  wireCopyButton(copy, () => text);
  return element('details', { class: 'json' },
    element('summary', {}, 'JSON'),
    element('pre', { tabindex: '0', 'aria-label': 'JSON of the answer' },
      element('code', {}, indentJson(text))),
    copy);
}

// Line breaks and indents only: every number keeps the digits that the server sent, which
// JSON.stringify would not do (0.9120 would turn into 0.912).
export function indentJson(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let depth = 0;
  let out = '';
  const newLine = () => `\n${'  '.repeat(depth)}`;
  tokens.forEach((token, i) => {
    if (token === '{' || token === '[') {
      depth += 1;
      out += token;
      if (!'}]'.includes(tokens[i + 1])) out += newLine();
    } else if (token === '}' || token === ']') {
      depth -= 1;
      out += ('{['.includes(tokens[i - 1]) ? '' : newLine()) + token;
    } else if (token === ',') {
      out += token + newLine();
    } else {
      out += token === ':' ? ': ' : token;
    }
  });
  return out;
}
