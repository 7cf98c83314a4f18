import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

// The binary carries what is worth it compressed only, as name.gz: browsers are sent that, whoever else asks has it
// unpacked by the Go handler.
function gzipped(): Plugin {
  return {
    name: "gzipped",
    apply: "build",
    closeBundle() {
      const dir = join(import.meta.dirname, "dist/assets");
      for (const name of readdirSync(dir)) {
        if (!/\.(js|css|svg)$/.test(name)) continue;
        const plain = readFileSync(join(dir, name));
        if (plain.length <= 1024) continue;
        writeFileSync(join(dir, `${name}.gz`), gzipSync(plain, { level: 9 }));
        rmSync(join(dir, name));
      }
    },
  };
}

// In development Vite serves the console and hands everything else to a running server. The Host header stays
// as the browser sent it, because the server compares it with Origin on every change.
const server = process.env.PADDOCK_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/console/",
  plugins: [react(), gzipped()],
  // embed.go writes a fresh nonce over this word in every index.html it sends.
  html: { cspNonce: "PADDOCK_NONCE" },
  build: { target: "es2022", assetsInlineLimit: 0, reportCompressedSize: true },
  server: {
    port: 5173,
    proxy: { "^/(?!console/)": { target: server, changeOrigin: false } },
  },
});
