// theme.js: sets the reader's theme and density before anything is painted. Loaded in the head, on
// its own.
try {
    for (const choice of ["theme", "density"]) {
        const value = localStorage.getItem("tailrace-" + choice);
        if (value) document.documentElement.dataset[choice] = value;
    }
} catch {
    // storage is switched off: the system's theme it is
}
