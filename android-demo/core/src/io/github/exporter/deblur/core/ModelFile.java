package io.github.exporter.deblur.core;

import java.io.IOException;
import java.io.InputStream;

/** A {@code .tflite} file, in the file system or stored uncompressed among an app's assets. */
public abstract class ModelFile {
    /** A path, or the asset's name. */
    public final String path;
    public final boolean isAsset;

    protected ModelFile(String path, boolean isAsset) {
        this.path = path;
        this.isAsset = isAsset;
    }

    /** Its bytes. */
    public abstract InputStream open() throws IOException;
}
