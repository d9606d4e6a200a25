/** Starts the browser that all tests have their pages in: each file connects to it, and has contexts of its own. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";
import { options } from "./browser";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the browser is connected to. */
    readonly browser: string;
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "hookswitch-web-"));
  const server = await chromium.launchServer(options(folder));
  project.provide("browser", server.wsEndpoint());
  return async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  };
}
