// The list of services at /.
import { listServices } from '/assets/api.js';
import {
  capitalised, countOf, element, errorPanel, formatWholeMs, stateBadge, stateSentence,
} from '/assets/ui.js';

const POLL_MS = 2000;  // while a service is loading
const RANK = { ready: 0, loading: 1, failed: 2, unloaded: 3, no_weights: 4 };

const list = document.getElementById('services');
const summary = document.getElementById('summary');
let shown = '';  // what is on the page now, so that an unchanged poll leaves it alone

async function refresh() {
  try {
    // Stages of other services are not for people.
    const services = (await listServices()).filter((info) => !info.internal);
    show(services);
    if (services.some((info) => info.state === 'loading')) setTimeout(refresh, POLL_MS);
  } catch (error) {
    shown = '';
    summary.textContent = '';
    list.replaceChildren(errorPanel(error, refresh));
  } finally {
    list.setAttribute('aria-busy', 'false');
  }
}

function show(services) {
  const state = JSON.stringify(services);
  if (state === shown) return;
  shown = state;
  summary.textContent = summarise(services);
  if (services.length === 0) {
    list.replaceChildren(emptyRepository());
    return;
  }
  // What answers comes first; within a state the server's order (by name) stays.
  const rank = (info) => RANK[info.state] ?? RANK.failed;
  const sorted = [...services].sort((a, b) => rank(a) - rank(b));
  list.replaceChildren(element('ul', { class: 'cards' }, ...sorted.map(card)));
}

function summarise(services) {
  if (services.length === 0) return '';
  const ready = services.filter((info) => info.state === 'ready').length;
  return ready === services.length ? `${ready} ready` : `${ready} of ${services.length} ready`;
}

function card(info) {
  const sentence = stateSentence(info);
  return element('li', { class: 'card' },
    element('div', { class: 'card-head' },
      element('h3', {}, element('a', { class: 'card-link', href: info.route },
        info.title || info.name)),
      stateBadge(info.state)),
    info.description ? element('p', {}, info.description) : null,
    info.synthetic
      ? element('p', { class: 'card-reason' }, 'Null backend: not an answer about the photo.')
      : null,
    sentence ? element('p', { class: 'card-reason' }, capitalised(info.reason) || sentence) : null,
    element('p', { class: 'card-meta' }, element('code', {}, info.route), facts(info)));
}

function facts(info) {
  const parts = [countOf(info.label_count, 'label')];
  if (info.version) parts.push(`version ${info.version}`);
  if (info.latency_goal_ms > 0) parts.push(`goal ${formatWholeMs(info.latency_goal_ms)}`);
  return element('span', {}, parts.join(' · '));
}

function emptyRepository() {
  const tree = 'NAME/\n  model.toml      what the model takes and how it answers\n' +
    '  labels.txt      one label a line\n  1/model.pt      the weights of version 1';
  return element('div', { class: 'panel empty' },
    element('h3', {}, 'No services yet'),
    element('p', {}, 'A service is a folder in the model repository (',
      element('code', {}, '[repository] path'), ' of the configuration). Put one there and ' +
      'start the server again: its route, its page and its metrics come by themselves.'),
    element('pre', { tabindex: '0', 'aria-label': 'Files of a service' },
      element('code', {}, tree)),
    element('p', { class: 'muted' }, 'Every key of a model.toml: ',
      element('code', {}, 'xcloud model-keys')));
}

refresh();
