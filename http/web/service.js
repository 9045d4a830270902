// The page of one service at /cv/NAME: photo in, labels out.
import { ApiError, classify, getService } from '/assets/api.js';
import { answerSentence, answerView } from '/assets/answer.js';
import { PhotoInput } from '/assets/photo.js';
import {
  capitalised, countOf, element, errorPanel, errorTitle, formatBytes, formatCount, formatMs,
  formatWholeMs, stateBadge, stateSentence, withLinks, wireCopyButton,
} from '/assets/ui.js';

const POLL_MS = 2000;  // while the service is loading
const LARGE_PHOTO_BYTES = 5e6;
const NOTICE_CLASS = { loading: '', no_weights: 'notice-warning', unloaded: 'notice-warning' };
const K_CHOICES = [1, 3, 5, 10, 20, 50];

const byId = (id) => document.getElementById(id);
const name = nameFromPath(location.pathname);
const photos = new PhotoInput(send);
let info = null;      // the service, as the server describes it
let photo = null;     // the last one chosen: a file, or the text of its URL
let inFlight = null;  // AbortController of the request that we wait for
let pollTimer = 0;

// "/cv/imagenet", "/cv/mcloud/imagenet", "/dm/imagenet" -> "imagenet"; a malformed escape stays as it is.
function nameFromPath(path) {
  const raw = path.replace(/^\/(dm|cv\/mcloud|cv)\//, '').replace(/\/+$/, '');
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}

async function load() {
  clearTimeout(pollTimer);
  try {
    info = await getService(name);
  } catch (error) {
    showPageProblem(error);
    return;
  }
  showService();
  if (info.state === 'loading') pollTimer = setTimeout(load, POLL_MS);
}

function showPageProblem(error) {
  document.title = `${errorTitle(error.status)} - XCloud`;
  const problem = byId('page-problem');
  problem.replaceChildren(error.status === 404 ? unknownService() : errorPanel(error, load));
  problem.hidden = false;
  byId('page-content').hidden = true;
}

function unknownService() {
  return element('div', { class: 'panel empty' },
    element('h1', {}, 'There is no such service'),
    element('p', {}, 'This server has no service named ', element('code', {}, name),
      '. Its folder may be missing from the model repository, or the name may be misspelt.'),
    element('p', {}, element('a', { class: 'button button-primary', href: '/' },
      'See what there is')));
}

function showService() {
  const title = info.title || info.name;
  document.title = `${title} - XCloud`;
  byId('page-problem').hidden = true;
  byId('page-content').hidden = false;
  byId('title').textContent = title;
  byId('badge').replaceChildren(stateBadge(info.state));
  byId('description').textContent = info.description;
  byId('synthetic').hidden = !info.synthetic;
  const what = info.rows ? '-d id=7' : '-F image=@photo.jpg';
  byId('curl').textContent = `curl ${what} ${location.origin}${info.route}`;
  showState();
  fillK();
  byId('facts').replaceChildren(...facts());
  if (!photo) showPlaceholder();
}

function showState() {
  const sentence = info.state === 'ready' && info.rows
    ? 'This service answers about rows of data, by their id: ask it as the command below does.'
    : stateSentence(info);
  const box = byId('not-ready');
  box.hidden = sentence === '';
  box.className = `notice ${NOTICE_CLASS[info.state] ?? 'notice-error'}`;
  // An unchanged text stays in place, or each poll would have a screen reader say it again.
  const state = sentence + info.reason;
  if (box.dataset.state !== state) {
    box.dataset.state = state;
    box.replaceChildren(element('p', { class: 'notice-title' }, sentence),
      info.reason ? element('p', {}, capitalised(info.reason)) : '');
  }
  photos.setDisabled(sentence);
  photos.offerUrl(info.imgurl === true);
  byId('k').disabled = sentence !== '';
}

// The service's own choice of k is always among the choices; none is more than it has labels.
function fillK() {
  const select = byId('k');
  if (select.options.length > 0) return;
  const most = Math.max(1, info.label_count);
  const own = Math.min(info.answer.top_k, most);
  const choices = [...K_CHOICES.filter((k) => k <= most), own];
  if (most <= K_CHOICES.at(-1)) choices.push(most);
  for (const k of [...new Set(choices)].sort((a, b) => a - b)) {
    const option = element('option', { value: String(k) }, k === most ? `${k} (all)` : String(k));
    option.selected = k === own;
    select.append(option);
  }
}

function facts() {
  const goal = info.latency_goal_ms > 0 ? formatWholeMs(info.latency_goal_ms) : 'none';
  const rows = [
    ['Source and licence', info.source ? withLinks(info.source) : 'not stated'],
    ['Labels', formatCount(info.label_count)],
    ['Version', info.version || 'none installed'],
    ['Backend', info.backend],
    ['Latency goal', goal],
    ['Largest batch', countOf(info.max_batch, 'photo')],
    ['Route', element('code', {}, info.route)],
  ];
  return rows.map(([term, value]) =>
    element('div', {}, element('dt', {}, term), element('dd', {}, value)));
}

function showPlaceholder() {
  byId('answer').replaceChildren(element('p', { class: 'placeholder' },
    info.state === 'ready' ? 'Labels and probabilities appear here.'
      : 'No answer until the service is ready.'));
}

// Sends `next`. A photo that is still in flight is given up: its answer is of no use now.
async function send(next) {
  photo = next;
  inFlight?.abort();
  const controller = new AbortController();
  inFlight = controller;
  showBusy();
  try {
    const answer = await classify(info.route, photo, byId('k').value, controller.signal);
    if (inFlight === controller) showAnswer(answer);
  } catch (error) {
    if (inFlight === controller) showFailure(error);
  } finally {
    if (inFlight === controller) inFlight = null;
  }
}

function showBusy() {
  byId('answer').setAttribute('aria-busy', 'true');
  byId('elapsed').textContent = '';
  byId('spoken').textContent = 'Photo sent. Waiting for the answer.';
  byId('answer').replaceChildren(element('div', { class: 'busy' },
    element('span', { class: 'busy-bar', 'aria-hidden': 'true' }),
    element('p', { class: 'muted' }, 'Sent. Waiting for the answer…')));
}

function showAnswer(answer) {
  byId('answer').setAttribute('aria-busy', 'false');
  byId('elapsed').textContent = formatMs(answer.body.elapse * 1000);
  byId('answer').replaceChildren(answerView(answer, info.answer));
  byId('spoken').textContent = answerSentence(answer, info.answer);
}

function showFailure(error) {
  byId('answer').setAttribute('aria-busy', 'false');
  byId('spoken').textContent = '';
  byId('answer').replaceChildren(errorPanel(inWords(error), () => send(photo)));
  // Not ready or gone: the state on the page is out of date.
  if (error.status === 503 || error.status === 404) load();
}

function inWords(error) {
  if (!(error instanceof ApiError)) {
    console.error(error);
    return new ApiError({ status: null, message: 'Please tell who runs this server.' });
  }
  // A server that refuses a large upload early may close before the browser reads why.
  if (error.status === 0 && photo.size >= LARGE_PHOTO_BYTES) {
    error.message += ` The photo has ${formatBytes(photo.size)}: it may be more than the server ` +
      'takes.';
  }
  return error;
}

byId('k').addEventListener('change', () => { if (photo) send(photo); });
wireCopyButton(byId('copy-curl'), () => byId('curl').textContent);
photos.setDisabled('The service is not known yet.');  // until load() has found it
load();
