// api.js: questions to the server. What goes wrong is an ApiError whose message a person can read.

export class ApiError extends Error {
    constructor(message, status = 0, body = null, tag = "") {
        super(message);
        this.status = status; // of HTTP; 0: there was no answer
        this.body = body; // {error, code, field, line, column, …}, see docs/api.md
        this.tag = tag; // of what is there instead
    }
}

export const api = async (path, options) => (await apiTagged(path, options)).body;

// {body, tag}: with its version.
export async function apiTagged(path, options = {}) {
    let answer;
    try {
        answer = await fetch("/api" + path, { cache: "no-store", ...options });
    } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new ApiError("The server cannot be reached.");
    }
    const body = await answer.json().catch(() => null);
    const tag = answer.headers.get("ETag");
    if (answer.ok) return { body, tag };
    const sentence = (body && body.error) || "The server answered " + answer.status + ".";
    throw new ApiError(sentence, answer.status, body, tag);
}

export const post = (path, body) =>
    api(path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ by: "page", ...body }),
    });
