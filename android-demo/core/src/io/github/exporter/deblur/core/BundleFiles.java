package io.github.exporter.deblur.core;

import java.io.IOException;
import java.io.InputStream;

/** Where a bundle lies: in a folder, or among an app's assets. */
public interface BundleFiles {
    /** @param file relative to the bundle, such as {@code golden/golden.json} */
    InputStream open(String file) throws IOException;

    /** The same file the way engines open it. */
    ModelFile model(String file) throws IOException;

    /** What to call the place on a screen. */
    String name();
}
