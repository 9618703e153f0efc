// The leanest run there is: one test, one worker, no retry, no trace, no video, no screenshot.
import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: '.',
  workers: 1,
  retries: 0,
  reporter: 'line',
  timeout: 60_000,
  outputDir: process.env.BENCH_OUTPUT,
  use: {
    headless: true,
    ignoreHTTPSErrors: true, // no trust in a private authority to set up, so this side does less
    launchOptions: { executablePath: process.env.BENCH_BROWSER },
    screenshot: 'off',
    trace: 'off',
    video: 'off',
  },
});
