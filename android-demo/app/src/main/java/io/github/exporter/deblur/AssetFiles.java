package io.github.exporter.deblur;

import android.content.res.AssetManager;
import io.github.exporter.deblur.core.BundleFiles;
import io.github.exporter.deblur.core.ModelFile;
import java.io.IOException;
import java.io.InputStream;

/** A bundle among the app's assets. */
final class AssetFiles implements BundleFiles {
    private final AssetManager assets;
    private final String folder;

    AssetFiles(AssetManager assets, String folder) {
        this.assets = assets;
        this.folder = folder;
    }

    @Override
    public InputStream open(String file) throws IOException {
        return assets.open(folder + "/" + file, AssetManager.ACCESS_STREAMING);
    }

    @Override
    public ModelFile model(final String file) {
        return new ModelFile(folder + "/" + file, true) {
            @Override
            public InputStream open() throws IOException {
                return AssetFiles.this.open(file);
            }
        };
    }

    @Override
    public String name() {
        return "the app's own bundle";
    }
}
