// Runs before the first paint, so a chosen theme never flashes the other one.
// It stands alone: the application proper is a module and starts too late for this.
try {
  const theme = localStorage.getItem('daysalt.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is refused: the system's theme holds.
}
