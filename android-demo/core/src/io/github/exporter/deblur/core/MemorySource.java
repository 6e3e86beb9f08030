package io.github.exporter.deblur.core;

/** How much memory the process holds. */
public interface MemorySource {
    /** kB (1024 bytes). */
    int kilobytes();
}
