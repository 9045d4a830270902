// Small pieces that both pages share. Text always goes in as text nodes, never as HTML: labels,
// reasons and file names come from outside.

// element('p', { class: 'muted' }, 'text', otherNode): null children are left out.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

const STATES = {
  ready: { word: 'Ready', sentence: '' },
  loading: { word: 'Loading', sentence: 'Its weights are being loaded. It opens by itself.' },
  no_weights: { word: 'No weights', sentence: 'Its weights are not installed on this server.' },
  unloaded: { word: 'Unloaded', sentence: 'An operator has taken it out.' },
  failed: { word: 'Failed', sentence: 'Its weights could not be loaded.' },
};

export function stateBadge(state) {
  const word = STATES[state]?.word ?? state;
  return element('span', { class: `badge badge-${state in STATES ? state : 'failed'}` }, word);
}

// A server message as a sentence's start. A first word that is not plain (a path, a name) stays.
export function capitalised(text) {
  return /^[a-z]+[ ,:]/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
}

// Why a service takes no photo now; empty when it does.
export function stateSentence(info) {
  if (info.state === 'ready') return '';
  return STATES[info.state]?.sentence ?? `Its state is ${info.state}.`;
}

const ERROR_TITLES = {
  0: 'The server could not be reached',
  400: 'The server could not use this photo',
  404: 'There is no such service',
  405: 'The server does not take photos here',
  408: 'The upload took too long',
  413: 'This photo is too large',
  415: 'This is not an image format that the server reads',
  429: 'The server is busy',
  499: 'The request was cancelled',
  503: 'The service is not ready',
  504: 'The answer took too long',
};

// `status` null: the page itself failed.
export function errorTitle(status) {
  if (status === null) return 'This page could not show the answer';
  if (ERROR_TITLES[status]) return ERROR_TITLES[status];
  return status >= 500 ? 'The server failed' : 'The server refused the request';
}

// The error in words, its HTTP status and code, and where it may help, a button to try again.
export function errorPanel(error, onRetry) {
  const facts = [];
  if (error.status > 0) facts.push(`HTTP ${error.status}`);
  if (error.code !== null) facts.push(`code ${error.code}`);
  const mayHelp = error.status === 0 || error.status === 408 || error.status === 429 ||
    error.status >= 500;
  const panel = element('div', { class: 'notice notice-error', role: 'alert' },
    element('p', { class: 'notice-title' }, errorTitle(error.status)),
    error.message ? element('p', {}, capitalised(error.message)) : null,
    retrySentence(error),
    facts.length > 0 ? element('p', { class: 'muted' }, facts.join(' · ')) : null);
  if (!mayHelp || !onRetry) return panel;
  // Outside the alert, or a screen reader would read the countdown each second.
  return element('div', { class: 'error-block' }, panel,
    retryButton(error.retryAfterS ?? 0, onRetry));
}

function retrySentence(error) {
  if (error.retryAfterS !== null) {
    return element('p', {}, `Try again in ${countOf(error.retryAfterS, 'second')}.`);
  }
  return error.status === 429 ? element('p', {}, 'Try again in a moment.') : null;
}

function retryButton(waitS, onRetry) {
  const button = element('button', { class: 'button', type: 'button' });
  let left = waitS;
  const show = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${left} s` : 'Try again';
  };
  show();
  const timer = setInterval(() => {
    left -= 1;
    show();
    if (left <= 0 || !button.isConnected) clearInterval(timer);
  }, 1000);
  button.addEventListener('click', onRetry);
  return button;
}

// Makes `button` copy what getText() gives, and say whether it did.
export function wireCopyButton(button, getText) {
  const rest = button.textContent;
  let timer = 0;
  button.setAttribute('aria-live', 'polite');
  button.addEventListener('click', async () => {
    button.textContent = await copyText(getText()) ? 'Copied' : 'Not allowed';
    clearTimeout(timer);
    timer = setTimeout(() => { button.textContent = rest; }, 1800);
  });
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // The clipboard API exists only on https and localhost; this server is often neither.
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const area = element('textarea', { class: 'visually-hidden', readonly: '' });
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  focused?.focus();
  return copied;
}

// Plain text with its http(s) addresses made into links.
export function withLinks(text) {
  const parts = document.createDocumentFragment();
  const pattern = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]]/g;
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    parts.append(text.slice(end, match.index),
      element('a', { href: match[0], rel: 'noopener noreferrer' }, match[0]));
    end = match.index + match[0].length;
  }
  parts.append(text.slice(end));
  return parts;
}

const integers = new Intl.NumberFormat('en');

export function formatCount(count) {
  return integers.format(count);
}

export function countOf(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

// For what a person chose, such as a goal: no digits that were not chosen.
export function formatWholeMs(ms) {
  return `${integers.format(ms)} ms`;
}

// For what was measured: three digits.
export function formatMs(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms >= 100) return `${ms.toFixed(0)} ms`;
  return `${ms.toFixed(ms >= 10 ? 1 : 2)} ms`;
}

export function formatBytes(bytes) {
  if (bytes < 1000) return countOf(bytes, 'byte');
  if (bytes < 999_500) return `${(bytes / 1000).toFixed(0)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
