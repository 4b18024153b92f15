// Installs the npm build of uWebSockets into build/ and makes it load here: it wants glibc 2.38, but only
// for three functions. In our copy that want is marked as weak (one bit in the table of versions), and
// uws_names.c gives the three, preloaded. Its code stays as it is. Usage: uwsAddon() -> {UWS, LD_PRELOAD}.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "@btc-vision/uwebsockets.js", VERSION = "20.57.0"; // uWebSockets.js' own builds, kept on npm
const here = path.dirname(fileURLToPath(import.meta.url));
const WANTED = "GLIBC_2.38", SHT_GNU_VERNEED = 0x6ffffffe, VER_FLG_WEAK = 2;

/** Marks the want of a version of a library as weak. ELF, 64 bit, little-endian. */
function weaken(file) {
    const f = readFileSync(file);
    const [table, size, count] = [Number(f.readBigUInt64LE(40)), f.readUInt16LE(58), f.readUInt16LE(60)];
    const section = (i) => {
        const at = table + i * size;
        return { type: f.readUInt32LE(at + 4), offset: Number(f.readBigUInt64LE(at + 24)), link: f.readUInt32LE(at + 40), info: f.readUInt32LE(at + 44) };
    };
    const need = Array.from({ length: count }, (_, i) => section(i)).find((s) => s.type === SHT_GNU_VERNEED);
    const strings = section(need.link).offset;
    for (let i = 0, at = need.offset; i < need.info; i++, at += f.readUInt32LE(at + 12))
        for (let k = 0, one = at + f.readUInt32LE(at + 8); k < f.readUInt16LE(at + 2); k++, one += f.readUInt32LE(one + 12)) {
            const name = strings + f.readUInt32LE(one + 8);
            if (f.toString("latin1", name, f.indexOf(0, name)) === WANTED) f.writeUInt16LE(VER_FLG_WEAK, one + 4);
        }
    writeFileSync(file, f);
}

/** The environment that uws.mjs needs; null with a reason on the standard error when it cannot be had. */
export function uwsAddon(build) {
    const folder = path.join(build, "uws"), addon = path.join(folder, "uws.node"), names = path.join(folder, "names.so");
    const environment = { UWS: addon, LD_PRELOAD: names };
    try {
        mkdirSync(folder, { recursive: true });
        const built = path.join(folder, "node_modules", PACKAGE, `uws_linux_${process.arch}_${process.versions.modules}.node`);
        if (!existsSync(built))
            execFileSync("npm", ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", `${PACKAGE}@${VERSION}`], { stdio: "pipe" });
        copyFileSync(built, addon);
        weaken(addon);
        execFileSync("cc", ["-O2", "-shared", "-fPIC", "-o", names, path.join(here, "uws_names.c")]);
        execFileSync(process.execPath, ["-e", "require(process.env.UWS)"], { env: { ...process.env, ...environment }, stdio: "pipe" });
        return environment;
    } catch (error) {
        console.error(`uWebSockets does not load here: ${String(error.stderr || error.message).trim().split("\n")[0]}`);
        return null;
    }
}
