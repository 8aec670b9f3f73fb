// Keys of the tab "Check": each presses the button of the class key-<key>, while the tab is open and nobody types.
const NAMES = { ' ': 'space' };
document.addEventListener('keydown', (event) => {
  if (!element.isConnected || element.offsetParent === null) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest('input, textarea, select, [contenteditable], [role="listbox"]')) return;
  if (event.key === ' ' && event.target.closest('button')) return;
  const button = document.querySelector(`.key-${CSS.escape(NAMES[event.key] || event.key.toLowerCase())}`);
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
});
