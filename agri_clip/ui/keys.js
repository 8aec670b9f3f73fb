// Keys of the tab "Check": each presses the button of the class key-<key>, while the tab is open and nobody types.
const NAMES = { ' ': 'space' };
document.addEventListener('keydown', (event) => {
  if (!element.isConnected || element.offsetParent === null) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  // Where somebody types, keys are letters; on a choice or a button only the space bar is theirs.
  const typed = 'input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]';
  if (event.target.closest(`${typed}, [role="listbox"]`)) return;
  if (event.key === ' ' && event.target.closest('button, input')) return;
  const button = document.querySelector(`.key-${CSS.escape(NAMES[event.key] || event.key.toLowerCase())}`);
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
});
