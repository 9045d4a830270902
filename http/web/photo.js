// Takes a photo by file picker, camera, drag and drop or paste, and shows it; or by its URL, which
// the server fetches and the page cannot show.
import { countOf, formatBytes } from '/assets/ui.js';

const byId = (id) => document.getElementById(id);

// Calls onPhoto(file) or onPhoto(url) for each photo taken. While disabled it takes none and says why.
export class PhotoInput {
  #onPhoto;
  #why = '';      // why no photo is taken; empty = photos are taken
  #address = '';  // object URL of the photo on show
  #dragDepth = 0;

  constructor(onPhoto) {
    this.#onPhoto = onPhoto;
    for (const input of [byId('file'), byId('camera')]) {
      input.addEventListener('change', () => {
        this.#take([...input.files]);
        input.value = '';  // so that the same file can be chosen again
      });
    }
    byId('url-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#takeUrl(byId('url').value.trim());
    });
    this.#listenForDrops();
    window.addEventListener('paste', (event) => this.#paste(event));
  }

  // `why` empty: photos are taken.
  setDisabled(why) {
    this.#why = why;
    for (const id of ['file', 'camera', 'url', 'url-send']) byId(id).disabled = why !== '';
    byId('drop').classList.toggle('is-disabled', why !== '');
    byId('drop-prompt').querySelector('.drop-action').textContent =
      why === '' ? 'Choose a photo' : 'No photo can be sent now';
    byId('drop-hint').hidden = why !== '';
  }

  offerUrl(offered) {
    byId('url-form').hidden = !offered;
  }

  // The whole page takes a drop: a near miss must not make the browser leave for the file.
  #listenForDrops() {
    const mark = () => byId('drop').classList.toggle('is-target', this.#dragDepth > 0);
    const holdsFiles = (event) => event.dataTransfer?.types.includes('Files');
    window.addEventListener('dragenter', (event) => {
      if (!holdsFiles(event)) return;
      this.#dragDepth += 1;
      mark();
    });
    window.addEventListener('dragleave', (event) => {
      if (!holdsFiles(event)) return;
      this.#dragDepth = Math.max(0, this.#dragDepth - 1);
      mark();
    });
    window.addEventListener('dragover', (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = this.#why === '' ? 'copy' : 'none';
    });
    window.addEventListener('drop', (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      this.#dragDepth = 0;
      mark();
      this.#take([...event.dataTransfer.files]);
    });
  }

  #paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) {
      if (event.target === byId('url')) return;  // text, where text belongs
      this.#say('The clipboard holds no photo.');
      return;
    }
    event.preventDefault();
    this.#take(files);
  }

  #take(files) {
    if (files.length === 0) return;
    if (this.#why !== '') {
      this.#say(this.#why);
      return;
    }
    // A file of unknown type may still be a photo: the server looks at its bytes.
    const photo = files.find((file) => file.type === '' || file.type.startsWith('image/'));
    if (!photo) {
      this.#say(`“${files[0].name}” is not a photo. Nothing was sent.`);
      return;
    }
    this.#say(files.length === 1 ? ''
      : `One photo at a time: took “${photo.name}” of ${countOf(files.length, 'file')}.`);
    this.#show(photo);
    this.#onPhoto(photo);
  }

  #takeUrl(url) {
    if (this.#why !== '') {
      this.#say(this.#why);
      return;
    }
    this.#say('');
    this.#showUrl(url);
    this.#onPhoto(url);
  }

  #say(text) {
    byId('photo-notice').textContent = text;
  }

  #show(photo) {
    const preview = byId('preview');
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = URL.createObjectURL(photo);
    const name = photo.name || 'Pasted photo';
    const caption = `${name} · ${formatBytes(photo.size)}`;
    byId('photo-caption').textContent = caption;
    preview.onload = () => {
      byId('photo-caption').textContent =
        `${caption} · ${preview.naturalWidth} × ${preview.naturalHeight}`;
    };
    preview.onerror = () => {
      preview.hidden = true;
      byId('no-preview').hidden = false;
    };
    preview.alt = `The photo: ${name}`;
    preview.src = this.#address;
    preview.hidden = false;
    byId('no-preview').hidden = true;
    byId('drop-prompt').hidden = true;
    byId('drop').classList.add('has-photo');
    byId('another').hidden = false;
  }

  // Instead of the photo before, which the answer to come is not about.
  #showUrl(url) {
    const preview = byId('preview');
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = '';
    preview.onload = preview.onerror = null;
    preview.removeAttribute('src');
    preview.hidden = true;
    byId('no-preview').hidden = true;
    byId('drop-prompt').hidden = false;
    byId('drop').classList.remove('has-photo');
    byId('another').hidden = true;
    byId('photo-caption').textContent = url;
  }
}
