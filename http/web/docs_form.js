// The form of one operation: its parameters and body, the curl line, and the answer that came.
import { send } from '/assets/api.js';
import { answerPanel, bodyText } from '/assets/docs_answer.js';
import { curlLine } from '/assets/docs_curl.js';
import { flatten, resolve, skeleton, typeWords } from '/assets/docs_schema.js';
import { element, errorPanel, formatMs, wireCopyButton } from '/assets/ui.js';

let fieldCount = 0;  // ids of fields are unique on the page

export class OperationForm {
  #api;
  #operation;
  #say;            // tells a screen reader
  #fields = [];    // {name, in, input} of parameters
  #parts = [];     // {name, input} of a form's parts
  #file = null;    // the input with the body itself
  #text = null;    // the textarea with a JSON body
  #type = null;    // the select with the body's type
  #inFlight = null;
  #body = element('div', { class: 'fields' });
  #curl = element('code');
  #answer = element('div', { class: 'operation-answer' });

  constructor(api, operation, say) {
    this.#api = api;
    this.#operation = operation;
    this.#say = say;
    this.node = this.#make();
    this.#showCurl();
  }

  #make() {
    const parameters = (this.#operation.parameters ?? []).map((one) => resolve(this.#api, one));
    const copy = element('button', { class: 'button', type: 'button' }, 'Copy');
    wireCopyButton(copy, () => this.#curl.textContent);
    const form = element('form', { class: 'operation-form' },
      parameters.length > 0 ? element('h3', {}, 'Parameters') : null,
      element('div', { class: 'fields' }, ...parameters.map((one) => this.#parameter(one))),
      ...this.#bodyPieces(),
      element('div', { class: 'code-line' },
        element('pre', { tabindex: '0', 'aria-label': 'Command' }, this.#curl), copy),
      element('button', { class: 'button button-primary', type: 'submit' }, 'Send'));
    form.addEventListener('input', () => this.#showCurl());
    form.addEventListener('change', () => this.#showCurl());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    return element('div', {}, form, this.#answer);
  }

  #parameter(parameter) {
    const input = this.#input(parameter.schema, parameter.required);
    this.#fields.push({ name: parameter.name, in: parameter.in, input });
    return this.#field(`${parameter.name} (${parameter.in})`, input, parameter.schema,
      parameter.description);
  }

  #field(label, input, schema, description = '') {
    fieldCount += 1;
    input.id = `field-${fieldCount}`;
    const words = schema === null ? '' : typeWords(this.#api, schema);
    const hint = element('span', { class: 'muted', id: `hint-${fieldCount}` },
      [words, description].filter((text) => text).join('. '));
    input.setAttribute('aria-describedby', hint.id);
    return element('div', { class: 'field' },
      element('label', { for: input.id }, label), input, hint);
  }

  #input(schema, required = false) {
    const whole = flatten(this.#api, schema);
    if (whole.enum) {
      const select = element('select', { class: 'input' },
        ...(required ? [] : [element('option', { value: '' }, 'not sent')]),
        ...whole.enum.map((value) => element('option', { value }, value)));
      return select;
    }
    if (whole.format === 'binary') {
      return element('input', { class: 'input', type: 'file', accept: 'image/*' });
    }
    const input = element('input', { class: 'input', type: 'text', autocomplete: 'off' });
    if (whole.type === 'integer' || whole.type === 'number') input.inputMode = 'decimal';
    input.required = required;
    return input;
  }

  #bodyPieces() {
    const body = resolve(this.#api, this.#operation.requestBody);
    if (!body) return [];
    const types = Object.keys(body.content);
    this.#type = element('select', { class: 'input' },
      ...types.map((type) => element('option', { value: type }, type)));
    this.#type.addEventListener('change', () => this.#showBody(body));
    this.#showBody(body);
    return [element('h3', {}, 'Body'),
      this.#field('Content-Type', this.#type, null), this.#body];
  }

  #showBody(body) {
    const type = this.#type.value;
    const schema = flatten(this.#api, body.content[type].schema);
    this.#parts = [];
    this.#file = this.#text = null;
    if (type === 'multipart/form-data' || type === 'application/x-www-form-urlencoded') {
      this.#body.replaceChildren(...Object.entries(schema.properties ?? {}).map(([name, part]) => {
        const input = this.#input(part);
        this.#parts.push({ name, input });
        return this.#field(name, input, part, resolve(this.#api, part).description);
      }));
    } else if (type === 'application/json') {
      this.#text = element('textarea', { class: 'input', rows: '8', spellcheck: 'false' });
      this.#text.value = JSON.stringify(skeleton(this.#api, schema), null, 2);
      this.#body.replaceChildren(this.#field('JSON', this.#text, schema));
    } else {
      this.#file = element('input', { class: 'input', type: 'file' });
      if (type.startsWith('image/')) this.#file.accept = 'image/*';
      this.#body.replaceChildren(this.#field('Photo or file', this.#file, schema));
    }
  }

  // What would be sent now, for fetch and for curl alike: {method, url, headers, type, parts,
  // photoPart, file, text}; `file` null = not chosen yet, undefined = the body is no file.
  #request() {
    const query = new URLSearchParams();
    const headers = {};
    let path = this.#operation.path;
    for (const { name, in: where, input } of this.#fields) {
      if (where === 'path') path = path.replace(`{${name}}`, encodeURIComponent(input.value));
      else if (input.value === '') continue;
      else if (where === 'query') query.append(name, input.value);
      else headers[name] = input.value;
    }
    const text = query.toString();
    return { method: this.#operation.method.toUpperCase(), headers, type: this.#type?.value ?? null,
      url: location.origin + path + (text ? `?${text}` : ''), parts: this.#filledParts(),
      photoPart: this.#parts.find(({ input }) => input.type === 'file')?.name,
      file: this.#file ? this.#file.files[0] ?? null : undefined, text: this.#text?.value };
  }

  #filledParts() {
    return this.#parts.map(({ name, input }) => ({ name, value: input.files?.[0] ?? input.value }))
      .filter(({ value }) => value !== '');
  }

  #showCurl() {
    this.#curl.textContent = curlLine(this.#request());
  }

  async #send() {
    this.#inFlight?.abort();
    const controller = new AbortController();
    this.#inFlight = controller;
    this.#answer.replaceChildren(
      element('p', { class: 'muted' }, 'Sent. Waiting for the answer…'));
    this.#say('Sent. Waiting for the answer.');
    try {
      const answer = await send(this.#request(), controller.signal);
      const text = await bodyText(answer);
      if (this.#inFlight !== controller) return;
      this.#answer.replaceChildren(answerPanel(answer, text));
      this.#say(`Status ${answer.status} after ${formatMs(answer.roundTripMs)}.`);
    } catch (error) {
      if (this.#inFlight !== controller) return;
      this.#answer.replaceChildren(errorPanel(error, () => this.#send()));
      this.#say('');
    }
  }
}
