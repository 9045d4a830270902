// A request of the page as a line for the shell.

function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

// In a form, curl reads a value that begins with @ or < from a file: --form-string does not.
function partArgument({ name, value }) {
  if (value instanceof Blob) return ['-F', `${name}=@${value.name || 'photo.jpg'}`];
  return ['--form-string', `${name}=${value}`];
}

// {method, url, headers, type, parts, photoPart, file, text}: as docs_form.js makes it. A file that
// is not chosen yet is called photo.jpg.
export function curlLine(request) {
  const words = ['curl'];
  for (const [name, value] of Object.entries(request.headers)) {
    words.push('-H', `${name}: ${value}`);
  }
  const multipart = request.type === 'multipart/form-data';
  const parts = [...request.parts];
  if (request.photoPart && !parts.some(({ value }) => value instanceof Blob)) {
    parts.unshift({ name: request.photoPart, value: new File([], 'photo.jpg') });
  }
  let implied = 'GET';
  if (request.type !== null) {
    implied = 'POST';
    if (!multipart) words.push('-H', `Content-Type: ${request.type}`);
    if (multipart) words.push(...parts.flatMap(partArgument));
    else if (request.text !== undefined) words.push('--data-raw', request.text);
    else if (request.file !== undefined) {
      words.push('--data-binary', `@${request.file?.name ?? 'photo.jpg'}`);
    } else {
      words.push(...parts.flatMap(({ name, value }) => ['--data-urlencode', `${name}=${value}`]));
    }
  }
  if (request.method !== implied) words.splice(1, 0, '-X', request.method);
  return [...words, request.url].map(quoted).join(' ');
}
