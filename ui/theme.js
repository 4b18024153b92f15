// theme.js: sets the reader's theme before anything is painted. Loaded in the head, on its own.
{
    let theme = "auto";
    try {
        theme = localStorage.getItem("tailrace-theme") || "auto";
    } catch {
        // storage is switched off: the system's theme it is
    }
    if (theme !== "auto") document.documentElement.dataset.theme = theme;
}
