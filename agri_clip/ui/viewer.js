// The viewer of the page. What comes from visitors is only ever set as text, never as markup.
const SVG = 'http://www.w3.org/2000/svg';
const CLOSEST = 12;   // screen pixels of one photo pixel
const STEP = 1.4;
let view = null;      // {scale, x, y}: screen = photo * scale + (x, y)
let shown = '';       // file that is on the stage
let chosen = -1;
let pointers = new Map();
let pinch = null;

const find = (selector) => element.querySelector(selector);
const value = () => props.value || {};
const fileUrl = (path) => 'gradio_api/file=' + path.split('/').map(encodeURIComponent).join('/');

function wholeScale() {
  const stage = find('.stage'), now = value();
  return Math.min(stage.clientWidth / now.width, stage.clientHeight / now.height);
}

function showWhole() {
  const stage = find('.stage'), now = value();
  // As high as the photo needs at this width, and no higher than leaves room for what stands below.
  const high = Math.min(window.innerHeight * 0.7, 720, stage.clientWidth * now.height / now.width);
  stage.style.height = Math.max(220, high) + 'px';
  const scale = wholeScale();
  view = { scale, x: (stage.clientWidth - now.width * scale) / 2, y: (stage.clientHeight - now.height * scale) / 2 };
  place();
}

function place() {
  const stage = find('.stage'), sheet = find('.sheet'), now = value();
  if (!view || !now.width) return;
  const width = now.width * view.scale, height = now.height * view.scale;
  const keep = (at, size, room) => size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at));
  view.x = keep(view.x, width, stage.clientWidth);
  view.y = keep(view.y, height, stage.clientHeight);
  sheet.style.width = now.width + 'px';
  sheet.style.height = now.height + 'px';
  sheet.style.setProperty('--pixel', 1 / view.scale);
  sheet.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  showTip();
}

function zoom(factor, x, y) {
  const scale = Math.min(CLOSEST, Math.max(wholeScale(), view.scale * factor));
  view.x = x - (x - view.x) * scale / view.scale;
  view.y = y - (y - view.y) * scale / view.scale;
  view.scale = scale;
  place();
}

function zoomMiddle(factor) {
  const stage = find('.stage');
  zoom(factor, stage.clientWidth / 2, stage.clientHeight / 2);
}

function describe(box) {
  const label = value().labels[box[4]];
  return `${label.name}  ${box[5]}  ${box[6]}`;
}

function showTip() {
  const tip = find('.tip'), box = (value().boxes || [])[chosen];
  tip.hidden = !box;
  element.querySelectorAll('rect.chosen').forEach((old) => old.classList.remove('chosen'));
  if (!box) return;
  const rect = element.querySelector(`rect[data-box="${chosen}"]`);
  if (rect) rect.classList.add('chosen');
  tip.textContent = describe(box);
  const stage = find('.stage');
  const left = box[0] * view.scale + view.x, top = box[1] * view.scale + view.y - tip.offsetHeight - 6;
  tip.style.left = Math.min(Math.max(4, left), Math.max(4, stage.clientWidth - tip.offsetWidth - 4)) + 'px';
  tip.style.top = (top < 4 ? Math.min(box[3] * view.scale + view.y + 6, stage.clientHeight - 30) : top) + 'px';
}

function choose(index) {
  chosen = index;
  const box = (value().boxes || [])[index];
  if (box && view) {   // bring it into sight
    const stage = find('.stage');
    const x = (box[0] + box[2]) / 2 * view.scale + view.x, y = (box[1] + box[3]) / 2 * view.scale + view.y;
    if (x < 0 || x > stage.clientWidth) view.x += stage.clientWidth / 2 - x;
    if (y < 0 || y > stage.clientHeight) view.y += stage.clientHeight / 2 - y;
  }
  place();
}

function rectangle(box, index) {
  const rect = document.createElementNS(SVG, 'rect');
  rect.setAttribute('x', box[0]);
  rect.setAttribute('y', box[1]);
  rect.setAttribute('width', Math.max(1, box[2] - box[0]));
  rect.setAttribute('height', Math.max(1, box[3] - box[1]));
  if (index === null) {
    rect.classList.add('halo');
  } else {
    rect.dataset.box = index;
    rect.setAttribute('stroke', value().labels[box[4]].colour);
  }
  return rect;
}

function draw() {
  const now = value(), viewer = find('.viewer');
  viewer.hidden = !now.file;
  if (!now.file) { shown = ''; return; }
  const picture = find('img'), svg = find('svg'), words = now.words;
  if (picture.getAttribute('src') !== fileUrl(now.file)) picture.src = fileUrl(now.file);
  picture.alt = words.name;
  find('.stage').setAttribute('aria-label', words.name);
  find('.keys').textContent = words.keys;
  for (const what of ['closer', 'farther', 'whole']) {
    const button = find(`[data-do="${what}"]`);
    button.setAttribute('aria-label', words[what]);
    button.title = words[what];
  }
  svg.setAttribute('viewBox', `0 0 ${now.width} ${now.height}`);
  svg.replaceChildren(...now.boxes.map((box) => rectangle(box, null)), ...now.boxes.map(rectangle));
  find('.legend').replaceChildren(...now.labels.map((label) => {
    const entry = document.createElement('li'), colour = document.createElement('i');
    colour.style.background = label.colour;
    entry.append(colour, label.name);
    return entry;
  }));
  chosen = -1;
  if (shown !== now.file || !view) { shown = now.file; showWhole(); } else { place(); }
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (!button) return;
  if (button.dataset.do === 'closer') zoomMiddle(STEP);
  if (button.dataset.do === 'farther') zoomMiddle(1 / STEP);
  if (button.dataset.do === 'whole') showWhole();
});

element.addEventListener('wheel', (event) => {
  const stage = event.target.closest('.stage');
  if (!stage || !view) return;
  event.preventDefault();
  const edge = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 400), event.clientX - edge.left, event.clientY - edge.top);
}, { passive: false });

element.addEventListener('pointerover', (event) => {
  const box = event.target.dataset && event.target.dataset.box;
  if (box !== undefined) { chosen = Number(box); showTip(); }
});

element.addEventListener('pointerout', (event) => {
  if (event.pointerType === 'mouse' && event.target.dataset && event.target.dataset.box !== undefined) {
    chosen = -1;
    showTip();
  }
});

element.addEventListener('pointerdown', (event) => {
  const stage = event.target.closest('.stage');
  if (!stage || !view) return;
  pointers.set(event.pointerId, event);
  if (pointers.size === 2) pinch = spread();
});

window.addEventListener('pointermove', (event) => {
  const before = pointers.get(event.pointerId);
  if (!before || !view) return;
  pointers.set(event.pointerId, event);
  if (pointers.size === 1) {
    view.x += event.clientX - before.clientX;
    view.y += event.clientY - before.clientY;
    place();
  } else if (pinch) {
    const now = spread(), edge = find('.stage').getBoundingClientRect();
    zoom(now.apart / pinch.apart, now.x - edge.left, now.y - edge.top);
    pinch = now;
  }
});

for (const end of ['pointerup', 'pointercancel']) {
  window.addEventListener(end, (event) => { pointers.delete(event.pointerId); pinch = null; });
}

function spread() {
  const [one, two] = [...pointers.values()];
  return {
    apart: Math.max(1, Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY)),
    x: (one.clientX + two.clientX) / 2,
    y: (one.clientY + two.clientY) / 2,
  };
}

element.addEventListener('keydown', (event) => {
  if (!event.target.closest('.stage') || !view) return;
  const count = (value().boxes || []).length, far = 60;
  const keys = {
    '+': () => zoomMiddle(STEP), '=': () => zoomMiddle(STEP), '-': () => zoomMiddle(1 / STEP), '0': showWhole,
    ArrowLeft: () => { view.x += far; place(); }, ArrowRight: () => { view.x -= far; place(); },
    ArrowUp: () => { view.y += far; place(); }, ArrowDown: () => { view.y -= far; place(); },
    n: () => count && choose((chosen + 1) % count), p: () => count && choose((chosen - 1 + count) % count),
    Escape: () => choose(-1),
  };
  if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  keys[event.key]();
});

new ResizeObserver(() => {
  const stage = find('.stage');
  if (!value().file || !stage.clientWidth) return;
  if (!view || view.scale <= wholeScale() * 1.02 || stage.dataset.width !== String(stage.clientWidth)) showWhole();
  stage.dataset.width = String(stage.clientWidth);
}).observe(element);

watch('value', draw);
draw();
