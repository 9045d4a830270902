// The page at /docs: the operations of /openapi.json by tag, each with its form and its answer.
import { getDocument } from '/assets/api.js';
import { OperationForm } from '/assets/docs_form.js';
import { resolve, schemaView } from '/assets/docs_schema.js';
import { element, errorPanel } from '/assets/ui.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

const list = document.getElementById('operations');
const said = document.getElementById('said');

async function load() {
  try {
    show(await getDocument());
  } catch (error) {
    list.replaceChildren(errorPanel(error, load));
  } finally {
    list.setAttribute('aria-busy', 'false');
  }
}

function show(api) {
  const operations = collect(api);
  const sections = (api.tags ?? []).map((tag) => section(api, tag,
    operations.filter((operation) => operation.tags.includes(tag.name))));
  list.replaceChildren(...sections.filter((node) => node !== null));
  openNamed();
}

function collect(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => method in item)
      .map((method) => ({ path, method, ...item[method] })));
}

function section(api, tag, operations) {
  if (operations.length === 0) return null;
  const heading = `tag-${tag.name.replace(/\W+/g, '-').toLowerCase()}`;
  return element('section', { class: 'operations', 'aria-labelledby': heading },
    element('h2', { id: heading }, tag.name),
    element('p', { class: 'muted' }, tag.description),
    ...operations.map((operation) => entry(api, operation)));
}

// Filled when it is opened for the first time: a page of fifty forms is slow to draw.
function entry(api, operation) {
  const body = element('div', { class: 'operation-body' });
  const node = element('details', { class: 'operation', id: operation.operationId },
    element('summary', {},
      element('span', { class: `method method-${operation.method}` },
        operation.method.toUpperCase()),
      element('code', { class: 'operation-path' }, operation.path),
      element('span', { class: 'operation-summary' }, operation.summary),
      operation['x-state']
        ? element('span', { class: 'badge badge-failed' }, `not ready: ${operation['x-state']}`)
        : null),
    body);
  node.addEventListener('toggle', () => {
    if (node.open && body.childElementCount === 0) fill(body, api, operation);
  });
  return node;
}

function fill(body, api, operation) {
  const form = new OperationForm(api, operation, (text) => { said.textContent = text; });
  body.append(
    ...(operation.description ?? '').split('\n\n').filter((text) => text !== '')
      .map((text) => element('p', {}, ...withCode(text))),
    form.node,
    element('h3', {}, 'Answers'),
    answers(api, operation));
}

// The document's texts set code between backticks.
function withCode(text) {
  return text.split('`').map((part, i) => i % 2 === 1 ? element('code', {}, part) : part);
}

function answers(api, operation) {
  const rows = Object.entries(operation.responses).map(([status, reference]) => {
    const response = resolve(api, reference);
    const words = reference.description ?? response.description;
    const content = Object.entries(response.content ?? {});
    return element('li', {},
      element('strong', {}, status), ` ${words}`,
      ...content.map(([type, media]) => Number(status) < 400
        ? element('details', {}, element('summary', {}, type), schemaView(api, media.schema))
        : null));
  });
  return element('ul', { class: 'answers' }, ...rows);
}

// /docs#post_cv_imagenet opens that operation.
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!(named instanceof HTMLDetailsElement)) return;
  named.open = true;
  named.scrollIntoView();
  named.querySelector('summary').focus();
}

window.addEventListener('hashchange', openNamed);
load();
