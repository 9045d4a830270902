// Talks to the server. The only file that knows the API's addresses and its error form.

// Any failure of a call. `status` is 0 when no HTTP answer came.
export class ApiError extends Error {
  constructor({ status, code = null, message, retryAfterS = null }) {
    super(message);
    this.name = 'ApiError';
    this.status = status;            // HTTP status
    this.code = code;                // "code" of the body, null when it had none
    this.retryAfterS = retryAfterS;  // seconds from Retry-After, null when it was not sent
  }
}

// GET /api/services: an array of service descriptions.
export async function listServices(signal) {
  const { body } = await call('/api/services', { signal });
  if (!Array.isArray(body)) throw unexpectedAnswer(200);
  return body;
}

// GET /api/services/NAME: one of them.
export async function getService(name, signal) {
  const { body } = await call(`/api/services/${encodeURIComponent(name)}`, { signal });
  return body;
}

// POST ROUTE?k=K&explain=1 with the photo as multipart field "image", or "imgurl" when `photo` is a
// text: its URL.
// Gives { body, text, roundTripMs }: the parsed answer, the answer as it was sent, and the time
// that this page waited.
export async function classify(route, photo, k, signal) {
  const form = new FormData();
  if (typeof photo === 'string') form.append('imgurl', photo);
  else form.append('image', photo, photo.name || 'photo');
  const query = new URLSearchParams({ k: String(k), explain: '1' });
  const start = performance.now();
  const { body, text, status } = await call(`${route}?${query}`,
    { method: 'POST', body: form, signal });
  // A service's own code, 3 for a photo without a face, is an answer as well.
  if (status !== 200 || typeof body.code !== 'number') {
    throw body.code ? failure(status, body, null) : unexpectedAnswer(status);
  }
  return { body, text, roundTripMs: performance.now() - start };
}

// GET /openapi.json.
export async function getDocument(signal) {
  const { body, status } = await call('/openapi.json', { signal });
  if (typeof body.paths !== 'object') throw unexpectedAnswer(status);
  return body;
}

// Sends what the form of an operation holds: {method, url, headers, type, parts, file, text}. Gives
// the answer whatever its status: {status, statusText, headers, blob, roundTripMs}.
export async function send(request, signal) {
  const headers = { ...request.headers };
  const body = bodyOf(request);
  // The browser adds the boundary of a form itself.
  if (request.type !== null && !(body instanceof FormData)) headers['Content-Type'] = request.type;
  const start = performance.now();
  try {
    const response = await fetch(request.url,
      { method: request.method, headers, body, signal, cache: 'no-store' });
    const blob = await response.blob();
    return { status: response.status, statusText: response.statusText, headers: response.headers,
      blob, roundTripMs: performance.now() - start };
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    // A header that no request may carry is refused by the browser, in its own words.
    throw new ApiError({ status: 0, message: error.message });
  }
}

function bodyOf({ type, parts, file, text }) {
  if (type === null) return undefined;
  if (type === 'multipart/form-data') {
    const form = new FormData();
    for (const { name, value } of parts) form.append(name, value);
    return form;
  }
  if (text !== undefined) return text;
  if (file !== undefined) return file ?? '';
  return new URLSearchParams(parts.map(({ name, value }) => [name, value])).toString();
}

async function call(url, options) {
  let response;
  let text;
  try {
    response = await fetch(url, { cache: 'no-store', ...options });
    text = await response.text();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError({ status: 0, message: 'The connection ended before an answer came.' });
  }
  const body = parseObject(text);
  if (!response.ok) throw failure(response.status, body, response.headers.get('Retry-After'));
  if (body === null) throw unexpectedAnswer(response.status);
  return { body, text, status: response.status };
}

function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function failure(status, body, retryAfter) {
  return new ApiError({
    status,
    code: body?.code ?? null,
    message: typeof body?.msg === 'string' ? body.msg : '',
    retryAfterS: parseRetryAfter(retryAfter),
  });
}

function unexpectedAnswer(status) {
  return new ApiError({ status, message: 'The answer does not have the form this page expects.' });
}

// Retry-After is whole seconds or an HTTP date.
function parseRetryAfter(value) {
  if (value === null || value.trim() === '') return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, Math.ceil(seconds));
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}
