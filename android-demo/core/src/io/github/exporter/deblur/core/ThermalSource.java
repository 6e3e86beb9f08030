package io.github.exporter.deblur.core;

/** How hot the device is. */
public interface ThermalSource {
    /** 0 none, 1 light, 2 moderate, 3 severe, 4 critical, 5 emergency, 6 shutdown; -1: it does not tell. */
    int status();
}
